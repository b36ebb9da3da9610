"""Hypothetical answers: a language model writes what an answer might say, and its vectors are asked with the question's.

HyDE: Gao, Ma, Lin, Callan, Precise Zero-Shot Dense Retrieval without Relevance Labels, ACL 2023.
"""

import asyncio
from time import perf_counter

import numpy as np

from vectis.domain.errors import EmbedderUnavailable, GeneratorUnavailable
from vectis.domain.points import Dense, dense
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.generator import Completion, Generator
from vectis.domain.profiles import EmbeddingProfile, Hyde
from vectis.search.embeddings import QueryEmbeddings

HYDE = "hyde"
PROMPT = "Write a short passage of documentation that answers the question.\nQuestion: {query}\nPassage:"
PROMPT_TOKENS_MAX = 64
"""What the prompt takes beside the question, whatever the model's tokens are."""


class Spending:
    """What may be spent on a day (UTC), in the currency of `price_per_million_tokens`; a price of 0 is never too much."""

    def __init__(self, clock: Clock, *, price_per_million_tokens: float, cost_per_day_max: float) -> None:
        self._clock = clock
        self._price = price_per_million_tokens / 1e6
        self._most = cost_per_day_max
        self._day = clock.now().date()
        self.cost = 0.0
        """Of this day so far."""

    def reserve(self, tokens: int) -> None:
        """Note what may come. GeneratorUnavailable when it would be more than is left of this day."""
        today = self._clock.now().date()
        if today != self._day:
            self._day, self.cost = today, 0.0
        if self.cost + tokens * self._price > self._most:
            raise GeneratorUnavailable(
                f"{self.cost:.4f} of {self._most:g} are spent on the language model today; generator.cost_per_day_max says "
                "how much may be",
                retry_after_s=3600.0,
            )
        self.cost += tokens * self._price

    def settle(self, reserved: int, used: int) -> None:
        """Give back what was reserved and not used."""
        self.cost = max(0.0, self.cost + (used - reserved) * self._price)


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
            passages = await self._passages(query, hyde)
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
            "cost_today": self._spending.cost,
        }

    async def _passages(self, query: str, hyde: Hyde) -> list[str]:
        """Those that were written in time, side by side. One that was not may still be paid for."""
        each = PROMPT_TOKENS_MAX + len(query) + hyde.max_tokens
        self._spending.reserve(each * hyde.documents)
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
            self._spending.settle(each * len(done), used)
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
