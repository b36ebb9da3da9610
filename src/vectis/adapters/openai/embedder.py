"""The embedder over an embeddings endpoint: prefixes, truncation, batches, checks. Requests are endpoint.py's."""

import asyncio
from array import array
from collections.abc import Sequence
from math import hypot, inf
from typing import Any

import msgspec

from vectis.adapters.openai.endpoint import ModelEndpoint
from vectis.adapters.openai.tokens import estimate_tokens, truncate
from vectis.domain.errors import EmbedderUnavailable
from vectis.domain.points import Dense
from vectis.domain.profiles import EmbeddingProfile
from vectis.domain.texts import sound

TOKENS_MAX = 8191
"""What OpenAI's models read."""

REQUESTS_MAX = 4
"""Requests of one embedder that may be under way at once."""


class _Embedding(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float]


class _Embeddings(msgspec.Struct, frozen=True):
    data: list[_Embedding]


class OpenAiEmbedder:
    """`model` at `base_url` (with its `/v1`), giving vectors of `dimension`; an empty `api_key` sends none.

    `request_dimensions` sends `dimensions` along, for models that can shorten their vectors. A text is cut to `max_tokens`
    estimated tokens, a request holds at most `batch_texts_max` texts and `batch_tokens_max` estimated tokens. `timeout_s`
    is for one try, `retry_wait_s` to twice that the wait before the second; a query with all its tries has
    `query_deadline_s`, a request for documents `document_deadline_s`.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        dimension: int,
        *,
        request_dimensions: bool = False,
        max_tokens: int = TOKENS_MAX,
        query_prefix: str = "",
        document_prefix: str = "",
        batch_texts_max: int = 128,
        batch_tokens_max: int = 65_536,
        timeout_s: float = 10.0,
        retry_wait_s: float = 0.5,
        query_deadline_s: float = 10.0,
        document_deadline_s: float = 120.0,
    ) -> None:
        self._endpoint = ModelEndpoint(
            base_url,
            api_key,
            what="embeddings",
            failure=EmbedderUnavailable,
            timeout_s=timeout_s,
            retry_wait_s=retry_wait_s,
        )
        # The endpoint names no version of its weights: the model's name has to do.
        self._profile = EmbeddingProfile(model, model, dimension, max_tokens, query_prefix, document_prefix)
        self._request_dimensions = request_dimensions
        self._batch_texts_max = batch_texts_max
        self._batch_tokens_max = batch_tokens_max
        self._query_deadline_s = query_deadline_s
        self._document_deadline_s = document_deadline_s
        self._requests = asyncio.Semaphore(REQUESTS_MAX)

    @property
    def profile(self) -> EmbeddingProfile:
        """As configured; the endpoint is not asked."""
        return self._profile

    async def embed_documents(self, texts: Sequence[str]) -> list[Dense]:
        """One unit-length vector per text, in order."""
        batches = self._batches([self._prepared(self._profile.document_prefix, text) for text in texts])
        try:
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(self._embed_in_turn(batch)) for batch in batches]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [vector for part in parts for vector in part.result()]

    async def embed_query(self, text: str) -> Dense:
        """The unit-length vector of one query; it does not wait behind documents."""
        prepared = self._prepared(self._profile.query_prefix, text)
        return (await self._embed([prepared], self._query_deadline_s))[0]

    def count_tokens(self, text: str) -> int:
        """An estimate, by counting pieces of words and signs: see estimate_tokens. Most often too high, by a third or so."""
        return estimate_tokens(text)

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    def _prepared(self, prefix: str, text: str) -> str:
        return (
            truncate(sound(prefix + text), self._profile.max_tokens) or " "
        )  # OpenAI refuses an empty text, not a blank one

    def _batches(self, texts: list[str]) -> list[list[str]]:
        batches: list[list[str]] = []
        tokens = 0
        for text in texts:
            more = estimate_tokens(text)
            full = not batches or len(batches[-1]) == self._batch_texts_max or tokens + more > self._batch_tokens_max
            if full:
                batches.append([])
                tokens = 0
            batches[-1].append(text)
            tokens += more
        return batches

    async def _embed_in_turn(self, texts: list[str]) -> list[Dense]:
        async with self._requests:
            return await self._embed(texts, self._document_deadline_s)

    async def _embed(self, texts: list[str], deadline_s: float) -> list[Dense]:
        body: dict[str, Any] = {"model": self._profile.model, "input": texts}
        if self._request_dimensions:
            body["dimensions"] = self._profile.dimension
        vectors = _in_order(await self._endpoint.post("embeddings", body, deadline_s), len(texts))
        return [self._unit(vector) for vector in vectors]

    def _unit(self, vector: list[float]) -> Dense:
        expected = self._profile.dimension
        if len(vector) != expected:
            raise EmbedderUnavailable(
                f"{self._profile.model} gave a vector of {len(vector)} dimensions, but is configured for {expected}: "
                "set its dimension right",
                given=len(vector),
                expected=expected,
            )
        length = hypot(*vector)
        if not 0 < length < inf:
            raise EmbedderUnavailable(f"{self._profile.model} gave a vector of length {length}, which has no direction")
        return array("f", [value / length for value in vector])


def _in_order(content: bytes, count: int) -> list[list[float]]:
    try:
        answer = msgspec.json.decode(content, type=_Embeddings)
    except (msgspec.DecodeError, RecursionError) as error:  # the latter for deep nesting under a key that is not ours
        raise EmbedderUnavailable(f"the embeddings endpoint answers something else than embeddings: {error}") from error
    by_index = {item.index: item.embedding for item in answer.data}
    if len(answer.data) != count or by_index.keys() != set(range(count)):
        raise EmbedderUnavailable(
            f"the embeddings endpoint gave {len(answer.data)} vectors for {count} texts, or numbered them wrongly",
            given=len(answer.data),
            expected=count,
        )
    return [by_index[index] for index in range(count)]
