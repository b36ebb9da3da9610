"""What the engine's shortcuts save, in production: a few queries go the long way too, behind their answers. Both are timed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set

from msgspec.structs import replace

from vectis.domain.errors import VectisError
from vectis.domain.points import PointId, SparseVector
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.engine import PointReader
from vectis.domain.ports.measurements import ShortcutLog
from vectis.domain.queries import EngineQuery
from vectis.search.plan import prefetch_queries
from vectis.search.spare_time import EvenSample, SpareTime

PREFETCHES, FILTER = "prefetches", "filter"

FIRST = 10
"""How many of the nearest that match a filter are looked for."""

DEPTHS = (40, 160, 640, 2560)
"""How many of the nearest are read without the filter, one depth after the other. Deeper reading would hold others up."""


class Shortcuts:
    """Times the same by two ways: the short one of the engine, and the long one that a caller would go without it.

    `prefetches`: all prefetches of a search in one request; each in a request of its own, one after the other.

    `filter`: the first ten of a prefetch, of a dense one where there is one, by a filter whose keys are all indexed; the prefetch
    without the filter, 40 results deep, then 160, 640, 2,560, until it has those ten. One that never has them counts with the
    time until then, and reading and testing payloads is not counted.
    """

    def __init__(
        self,
        *,
        reader: PointReader,
        log: ShortcutLog,
        clock: Clock,
        spare: SpareTime,
        sample_percent: float,
        timeout_s: float,
    ) -> None:
        self._reader = reader
        self._log = log
        self._clock = clock
        self._spare = spare
        self._sample_percent = sample_percent
        self._timeout_s = timeout_s
        # other queries than those that recall is sampled by: there is time for one look
        self._sample = EvenSample(start=0.5)
        self._turns = 0

    def offer(self, collection: str, queries: Sequence[EngineQuery], filter_keys: Mapping[str, bool]) -> None:
        """Perhaps ask again what one request to the engine was just asked; `filter_keys` says which keys have an index."""
        several = len(queries) > 1 or any(len(query.prefetches) > 1 for query in queries)
        filtered = bool(filter_keys) and all(filter_keys.values())
        if (several or filtered) and self._sample.takes(self._sample_percent):
            self._spare.begin(lambda: self._look(collection, queries, filtered=filtered))

    async def _look(self, name: str, queries: Sequence[EngineQuery], *, filtered: bool) -> None:
        singles = [single for query in queries for single in prefetch_queries(query)]
        try:
            async with asyncio.timeout(self._timeout_s):
                if len(singles) > 1:
                    await self._compare(
                        name,
                        PREFETCHES,
                        lambda: self._reader.query_batch(name, queries),
                        lambda: self._each(name, singles),
                    )
                if filtered:
                    await self._look_at_filter(name, min(singles, key=_is_by_words))
        except (VectisError, TimeoutError):
            return  # half a comparison says nothing

    async def _look_at_filter(self, name: str, query: EngineQuery) -> None:
        first = _cut(query, FIRST)
        wanted = {point.id for point in await self._reader.query(name, first)}
        if wanted:  # else the long way has no end to reach
            unfiltered = replace(query, filter=None)
            await self._compare(
                name, FILTER, lambda: self._reader.query(name, first), lambda: self._deeper(name, unfiltered, wanted)
            )

    async def _each(self, name: str, singles: Sequence[EngineQuery]) -> None:
        for single in singles:
            await self._reader.query(name, single)

    async def _deeper(self, name: str, query: EngineQuery, wanted: Set[PointId]) -> None:
        for depth in DEPTHS:
            if wanted <= {point.id for point in await self._reader.query(name, _cut(query, depth))}:
                return

    async def _compare(
        self, name: str, shortcut: str, short: Callable[[], Awaitable[object]], long: Callable[[], Awaitable[object]]
    ) -> None:
        """One way after the other, and not always the same one first: the second finds more in memory."""
        self._turns += 1
        seconds: dict[bool, float] = {}
        for is_short in (True, False) if self._turns % 2 else (False, True):
            started = self._clock.monotonic()
            await (short if is_short else long)()
            seconds[is_short] = self._clock.monotonic() - started
        self._log.append_shortcut(name, shortcut, short_s=seconds[True], long_s=seconds[False])


def _is_by_words(query: EngineQuery) -> bool:
    return isinstance(query.prefetches[0].vector, SparseVector)


def _cut(query: EngineQuery, limit: int) -> EngineQuery:
    """The first `limit` of a query of one prefetch, without payloads."""
    (nearest,) = query.prefetches
    return replace(query, prefetches=(replace(nearest, limit=limit),), limit=limit, offset=0, with_payload=False)
