"""Hypothetical answers: a language model writes what an answer might say, and its vectors are asked with the question's.

HyDE: Gao, Ma, Lin, Callan, Precise Zero-Shot Dense Retrieval without Relevance Labels, ACL 2023.
"""

import asyncio
from contextlib import suppress
from datetime import date
from time import perf_counter

import numpy as np

from vectis.domain.errors import DiskFull, EmbedderUnavailable, GeneratorUnavailable, StoreUnavailable
from vectis.domain.points import Dense, dense
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.generator import Completion, Generator
from vectis.domain.ports.spending import SpendingStore
from vectis.domain.profiles import EmbeddingProfile, Hyde
from vectis.search.embeddings import QueryEmbeddings

HYDE = "hyde"
PROMPT = "Write a short passage of documentation that answers the question.\nQuestion: {query}\nPassage:"
PROMPT_TOKENS_MAX = 64
"""What the prompt takes beside the question, whatever the model's tokens are."""


class Spending:
    """What all who share a store may spend on a day (UTC), in the currency of the price. What costs nothing is not counted."""

    def __init__(
        self, store: SpendingStore, clock: Clock, *, price_per_million_tokens: float, cost_per_day_max: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._price = price_per_million_tokens / 1e6
        self._most = cost_per_day_max

    async def reserve(self, tokens: int) -> date:
        """Set aside what may come; gives the day that it counts for, also when this process ends before it settles.

        GeneratorUnavailable when it would be more than is left of the day, and when nobody can tell.
        """
        today = self._clock.now().date()
        if not self._price:
            return today
        try:
            granted = await self._store.spend(today, tokens * self._price, most=self._most)
        except (StoreUnavailable, DiskFull) as error:
            raise GeneratorUnavailable(f"what the language model may cost cannot be counted: {error.message}") from None
        if not granted:
            raise GeneratorUnavailable(
                f"the language model would cost more than {self._most:g} today; generator.cost_per_day_max says how much "
                "it may",
                retry_after_s=3600.0,
            )
        return today

    async def settle(self, day: date, reserved: int, used: int) -> None:
        """Give back what was set aside and not used. Where the store is away it stays set aside."""
        if self._price and used != reserved:
            with suppress(StoreUnavailable, DiskFull):
                await self._store.give_back(day, (reserved - used) * self._price)


class Hypotheses:
    """Makes vectors of questions with hypothetical answers; one that was made is known for `ttl_s` at most."""

    def __init__(
        self, generator: Generator, embeddings: QueryEmbeddings, spending: Spending, clock: Clock, *, ttl_s: float
    ) -> None:
        self._generator = generator
        self._embeddings = embeddings
        self._spending = spending
        self._clock = clock
        self._ttl_s = ttl_s
        self._queries = self._known = self._failed = self._tokens = 0
        self._seconds = 0.0

    async def vector(self, query: str, of_query: Dense, profile: EmbeddingProfile, hyde: Hyde) -> Dense:
        """The unit-length mean of `of_query` and the vectors of `hyde.documents` passages, those that could be written.

        Raises GeneratorUnavailable when none could, in time or for the money; EmbedderUnavailable.
        """
        self._queries += 1
        try:
            period = int(self._clock.now().timestamp() // self._ttl_s)
            wishes = f"{hyde.documents} {hyde.temperature} {hyde.max_tokens}"
            key = "\x00".join((HYDE, self._generator.model, PROMPT, wishes, str(period), query))
            known = await self._embeddings.known(profile, key)
            if known is not None:
                self._known += 1
                return known
            started = perf_counter()
            try:
                passages = await self._passages(query, hyde)
            finally:
                self._seconds += perf_counter() - started
            vectors = await self._embeddings.of_documents(profile, passages)
        except (GeneratorUnavailable, EmbedderUnavailable):
            self._failed += 1
            raise
        total = np.sum([np.array(each, dtype=np.float64) for each in (of_query, *vectors)], axis=0)
        vector = dense((total / (np.linalg.norm(total) or 1.0)).astype(np.float32).tobytes())
        self._embeddings.remember(profile, key, vector, perf_counter() - started)
        return vector

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        return {
            "queries_total": self._queries,
            "known_total": self._known,
            "failed_total": self._failed,
            "generation_seconds_total": self._seconds,
            "tokens_total": self._tokens,
        }

    async def _passages(self, query: str, hyde: Hyde) -> list[str]:
        """Those that were written in time, side by side. One that was not may still be paid for."""
        each = PROMPT_TOKENS_MAX + len(query) + hyde.max_tokens
        day = await self._spending.reserve(each * hyde.documents)
        tasks = [asyncio.ensure_future(self._passage(query, hyde)) for _ in range(hyde.documents)]
        try:
            await asyncio.wait(tasks, timeout=hyde.timeout_ms / 1000)
        finally:
            done = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            written = [task.result() for task in done if task.exception() is None]
            used = sum(completion.tokens for completion in written)
            self._tokens += used
            await self._spending.settle(day, each * len(done), used)
        if written:
            return [completion.text for completion in written]
        raise next(
            (error for task in done if (error := task.exception()) is not None),
            GeneratorUnavailable(f"the language model took longer than {hyde.timeout_ms} ms"),
        )

    async def _passage(self, query: str, hyde: Hyde) -> Completion:
        return await self._generator.complete(
            PROMPT.format(query=query), temperature=hyde.temperature, max_tokens=hyde.max_tokens
        )
