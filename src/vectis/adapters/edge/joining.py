"""Joins the queries that wait for one collection into batches. A query that fails fails alone."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import qdrant_edge as qe

from vectis.adapters.edge.live import LiveCollection
from vectis.adapters.edge.refusals import EngineErrors
from vectis.adapters.edge.translate import Plan, raw_vectors
from vectis.adapters.edge.wire import FlatHits
from vectis.domain.errors import EngineUnavailable, VectisError

BATCH_MAX = 8
"""Queries run without giving way. More gains nothing and delays the first answer."""

WAITING_MAX = 8192
"""Queries that may wait for one collection; more are sent away at once."""


class Asked(NamedTuple):
    """Queries of one request, ready to run; the answer goes to `answer(request_id, hits or exception)`."""

    answer: Callable[[int, Any], None]
    request_id: int
    plans: Sequence[Plan]
    requests: Sequence[qe.QueryRequest]
    single: bool


class QueryJoiner:
    """The waiting queries of one collection. `done` is called after each batch, so that answers leave together."""

    def __init__(self, live: LiveCollection, loop: asyncio.AbstractEventLoop, done: Callable[[], None]) -> None:
        self.live = live
        self.requests = 0
        self.batches = 0
        self._loop = loop
        self._done = done
        self._asked: deque[Asked] = deque()
        self._waiting = 0
        self._scheduled = False

    @property
    def waiting(self) -> int:
        """Queries that wait now."""
        return self._waiting

    def add(self, asked: Asked) -> None:
        """Run it soon. EngineUnavailable when too many wait."""
        if self._waiting >= WAITING_MAX:
            raise EngineUnavailable(
                f"{self._waiting} queries wait for collection {self.live.name}; try again", retry_after_s=1.0
            )
        self._asked.append(asked)
        self._waiting += len(asked.requests)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def drain(self) -> None:
        """Run what waits now."""
        while self._asked:
            self._run()

    def _run(self) -> None:
        taken: list[Asked] = []
        requests: list[qe.QueryRequest] = []
        if not self._asked:
            self._scheduled = False
            return
        while self._asked and (not taken or len(requests) + len(self._asked[0].requests) <= BATCH_MAX):
            asked = self._asked.popleft()
            taken.append(asked)
            requests += asked.requests
        self._waiting -= len(requests)
        self._scheduled = bool(self._asked)
        if self._scheduled:
            self._loop.call_soon(self._run)
        self.requests += len(requests)
        self.batches += 1
        self._answer(taken, requests)
        self._done()

    def _answer(self, taken: list[Asked], requests: list[qe.QueryRequest]) -> None:
        shard = self.live.shard
        try:
            with EngineErrors():
                self.live.require_open()
                several = len(requests) > 1
                found = shard.query_batch(qe.QueryBatchRequest(requests)) if several else [shard.query(requests[0])]
        except (VectisError, RuntimeError) as error:
            if len(taken) == 1:
                taken[0].answer(taken[0].request_id, error)
                return
            for asked in taken:
                self._answer([asked], list(asked.requests))
            return
        at = 0
        for asked in taken:
            flat = [flat_hits(found[at + i], plan) for i, plan in enumerate(asked.plans)]
            at += len(flat)
            asked.answer(asked.request_id, flat[0] if asked.single else flat)


def flat_hits(hits: Sequence["qe.ScoredPoint"], plan: Plan) -> FlatHits:
    """Hits as columns."""
    return (
        [hit.id for hit in hits],  # pyright: ignore[reportReturnType] - UUIDs become text when encoded
        [hit.score for hit in hits],
        [hit.payload or {} for hit in hits] if plan.with_payload else None,
        [raw_vectors(hit.vector) for hit in hits] if plan.with_vectors else None,
    )
