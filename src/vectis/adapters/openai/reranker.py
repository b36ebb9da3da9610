"""The reranker over a rerank endpoint: the shape that Jina, Cohere, vLLM and others share."""

from collections.abc import Sequence
from typing import Any

import msgspec

from vectis.adapters.openai.endpoint import ModelEndpoint
from vectis.domain.errors import RerankerUnavailable
from vectis.domain.texts import sound

SCORE_MAX = 1e30
"""Far beyond any model's scores, and squares of it are still numbers."""


class _Result(msgspec.Struct, frozen=True):
    index: int
    relevance_score: float


class _Results(msgspec.Struct, frozen=True):
    results: list[_Result]


class EndpointReranker:
    """`model` at `base_url`/rerank; an empty `model` or `api_key` is not sent. All tries together have `deadline_s`."""

    def __init__(
        self, base_url: str, api_key: str, model: str, *, deadline_s: float = 30.0, retry_wait_s: float = 0.5
    ) -> None:
        self._endpoint = ModelEndpoint(
            base_url,
            api_key,
            what="rerank",
            failure=RerankerUnavailable,
            timeout_s=deadline_s,
            retry_wait_s=retry_wait_s,
        )
        self._model = model
        self._deadline_s = deadline_s

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """The relevance scores, in the order of `texts`."""
        if not texts:
            return []
        body: dict[str, Any] = {"query": sound(query), "documents": list(map(sound, texts)), "top_n": len(texts)}
        if self._model:
            body["model"] = self._model
        content = await self._endpoint.post("rerank", body, self._deadline_s)
        try:
            answer = msgspec.json.decode(content, type=_Results)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RerankerUnavailable(f"the rerank endpoint answers something else than results: {error}") from error
        by_index = {result.index: result.relevance_score for result in answer.results}
        if by_index.keys() != set(range(len(texts))) or any(abs(each) > SCORE_MAX for each in by_index.values()):
            raise RerankerUnavailable(
                f"the rerank endpoint judged {len(by_index)} of {len(texts)} documents, numbered them wrongly, or scored "
                f"one beyond {SCORE_MAX:g}",
                given=len(by_index),
                expected=len(texts),
            )
        return [by_index[index] for index in range(len(texts))]

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()
