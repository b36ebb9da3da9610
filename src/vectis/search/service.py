"""The use cases of search: each within its deadline, and with one measurement, whatever the outcome."""

import asyncio
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from vectis.domain.access import CollectionPass, Permission
from vectis.domain.errors import DeadlineExceeded, InvalidInput, LimitExceeded, VectisError
from vectis.domain.measurements import INTERRUPTED, Measurement
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory, Resolved
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.routes import INTERLEAVED, Routing
from vectis.search.answering import Answering
from vectis.search.behind import Behind
from vectis.search.interleaving import Interleaving, is_interleaved
from vectis.search.plan import SearchLimits
from vectis.search.requests import Answer, Asked, SimilarSearch, TextSearch, VectorSearch
from vectis.search.shadows import Ask

SIMILAR = "similar"
"""What a search by examples is counted as, beside the modes of searches in words and `vector`."""


class SearchService:
    """Answers questions in words and as vectors."""

    def __init__(
        self,
        *,
        directory: Directory,
        answering: Answering,
        log: MeasurementLog,
        clock: Clock,
        behind: Behind | None,
        interleaving: Interleaving | None,
        limits: SearchLimits,
    ) -> None:
        self._directory = directory
        self._answering = answering
        self._log = log
        self._clock = clock
        self._behind = behind
        self._interleaving = interleaving
        self._limits = limits

    async def search_text(self, by: CollectionPass, request: TextSearch) -> Answer:
        """Answer a question in words.

        Raises CollectionNotFound, EmptyQuery, LimitExceeded, InvalidFilter, Unsupported, DeadlineExceeded,
        EngineUnavailable; EmbedderUnavailable in dense mode only, hybrid then answers from BM25 and says so.
        """
        return await self._measured(by, request, request.mode, self._answering.text)

    async def search_vector(self, by: CollectionPass, request: VectorSearch) -> Answer:
        """Answer a question given as a vector. Raises as search_text, and InvalidVector or WrongDimension."""
        return await self._measured(by, request, "vector", self._answering.vector)

    async def similar(self, by: CollectionPass, request: SimilarSearch) -> Answer:
        """What is like some examples and not like others. Raises as search_vector, and DocumentNotFound or PointNotFound."""
        return await self._measured(by, request, SIMILAR, self._answering.similar)

    async def search_vectors(self, searches: Sequence[tuple[CollectionPass, VectorSearch]]) -> list[Answer]:
        """Answer several vector searches, each with its pass, in order; one that fails fails them all.

        Raises LimitExceeded beyond the batch size.
        """
        if not searches:
            raise InvalidInput("searches: give at least one", field="searches")
        if len(searches) > self._limits.batch_max:
            raise LimitExceeded(
                f"searches: {len(searches)} in one batch, the maximum is {self._limits.batch_max}",
                field="searches",
                given=len(searches),
                maximum=self._limits.batch_max,
            )
        return list(await asyncio.gather(*(self.search_vector(by, request) for by, request in searches)))

    async def _measured(self, by: CollectionPass, request: Asked, mode: str, ask: Ask[Asked]) -> Answer:
        """Resolve, ask within the deadline, and write one measurement whatever happens."""
        by.require(Permission.READ_COLLECTIONS)
        started = self._clock.monotonic()
        to = await self._directory.resolve(by.collection, request.routing)
        outcome = INTERRUPTED
        answer: Answer | None = None
        try:
            if self._interleaving is not None and is_interleaved(request, to):
                # whatever comes of it: that it was tried has to do with no variant
                to = replace(to, variant=INTERLEAVED)
                answer = await self._interleaving.answer(request, to, partial(self._within, ask))
            else:
                answer = await self._within(ask, request, to)
            outcome = "ok"
            return replace(answer, took_ms=self._since(started))
        except VectisError as error:
            outcome = error.code
            raise
        finally:
            if self._behind is not None and outcome != INTERRUPTED:
                self._behind.offer(to, request, answer, ask)
            self._log.append(
                _measurement(by.collection, request.routing, to, mode, outcome, answer, self._since(started))
            )

    async def _within(self, ask: Ask[Asked], request: Asked, to: Resolved) -> Answer:
        """Ask within the deadline. Raises DeadlineExceeded, and what `ask` raises."""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await ask(request, to if self._behind is None else self._behind.lifted(to))
        except TimeoutError:
            raise DeadlineExceeded(
                f"no answer within {self._limits.timeout_s} s; ask again with a smaller limit or prefetch",
                timeout_s=self._limits.timeout_s,
            ) from None

    def _since(self, started: float) -> float:
        return round((self._clock.monotonic() - started) * 1000, 3)


def _measurement(
    name: str, routing: Routing, to: Resolved, mode: str, outcome: str, answer: Answer | None, took_ms: float
) -> Measurement:
    return Measurement(
        name=name,
        collection=to.collection.name,
        variant=to.variant,
        mode=mode,
        outcome=outcome,
        results=len(answer.hits) if answer else 0,
        first_score=answer.hits[0].score if answer and answer.hits else None,
        degraded=tuple(answer.degraded) if answer else (),
        took_ms=took_ms,
        stages_ms=answer.stages_ms if answer else {},
        filter_keys=answer.filter_keys if answer else {},
        route=to.route,
        routing=routing,
    )
