"""Adds up what each variant of an alias under rollout answers, tick by tick, and writes that to the store behind the answers."""

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from vectis.domain.errors import (
    CollectionNotFound,
    DeadlineExceeded,
    DiskFull,
    EmbedderUnavailable,
    EngineUnavailable,
    StoreUnavailable,
    Unsupported,
    WrongDimension,
)
from vectis.domain.evidence import ShadowPair, VariantTick, latency_bucket
from vectis.domain.measurements import Measurement
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.ports.traffic import TrafficStore
from vectis.domain.routes import INTERLEAVED, Route
from vectis.domain.traffic import TICK_S, PairReport, TickReport

FLUSH_S = 1.0
QUERIES_PER_KEY = 3
"""Queries of one routing key that count under one version of a route. More of them are no independent evidence: a heavy user
with slow queries would speak for the variant that his key happened to get. docs/judging.md says what it costs to count all."""

KEYS_MAX = 100_000
PAIRS_MAX = 2_000
"""Routing keys and shadow pairs of one version of a route that this process keeps; what comes later does not count."""

WAITING_MAX = 2_000
"""Reports that may wait while the store takes none: an hour of one alias with two variants. Beyond it the oldest go."""

KEPT = timedelta(days=7)
TRIM_S = 600.0

FAULTS = frozenset(
    error.code
    for error in (
        EngineUnavailable,
        EmbedderUnavailable,
        StoreUnavailable,
        DeadlineExceeded,
        CollectionNotFound,
        WrongDimension,
        Unsupported,
    )
)
"""Outcomes that count as errors of a variant: the server's, and those that depend on the collection behind the alias."""

_Place = tuple[str, int, float, str]
"""Alias, version of its route, begin of the tick in Unix seconds, variant."""


class _Count:
    __slots__ = ("degraded", "empty", "errors", "keyless", "keys", "latency", "queries", "written")

    def __init__(self) -> None:
        self.queries = self.errors = self.empty = self.degraded = self.keyless = 0
        self.latency: dict[int, int] = {}
        self.keys: set[int] = set()
        self.written = False

    def tick(self) -> VariantTick:
        return VariantTick(
            self.queries, self.errors, self.empty, self.degraded, latency=dict(self.latency), keys=self.keyless
        )


class _Watched:
    """One version of an alias's route."""

    __slots__ = ("asked", "pairs", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.pairs = 0
        self.asked: dict[int, int] = {}


class TrafficLog:
    """Serves the MeasurementLog port before another, and the PairLog. `open` it to write; `close` writes what waits."""

    def __init__(self, log: MeasurementLog, store: TrafficStore, clock: Clock, *, reporter: str) -> None:
        """`reporter` is told apart from every other process that ever reports."""
        self._log = log
        self._store = store
        self._clock = clock
        self._reporter = reporter
        self._watched: dict[str, _Watched] = {}
        self._counts: dict[_Place, _Count] = {}
        self._pairs: list[PairReport] = []
        self._numbers = 0
        self._trimmed_at: datetime | None = None
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._dropped = self._faults = 0

    async def open(self) -> None:
        """Begin to write behind the answers."""
        self._writer = asyncio.create_task(self._write_behind())

    async def close(self) -> None:
        """Write what waits, as far as the store takes it."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        await self.flush()

    def append(self, measurement: Measurement) -> None:
        """See the port."""
        self._log.append(measurement)
        route = measurement.route
        if route is None or measurement.routing.variant or measurement.variant == INTERLEAVED:
            return  # of no variant, or not chosen by the route
        if route.plan.under_rollout:
            self._count(route, measurement)

    def append_pair(self, route: Route, pair: ShadowPair) -> None:
        """Keep a query that was asked of both variants."""
        watched = self._watch(route)
        if watched is None or watched.pairs >= PAIRS_MAX or len(self._pairs) >= WAITING_MAX:
            return
        watched.pairs += 1
        self._numbers += 1
        now = self._clock.now()
        self._pairs.append(PairReport(route.alias, route.version, self._reporter, self._numbers, now, pair))
        self._wake.set()

    async def flush(self) -> None:
        """Write what changed. What the store does not take waits on, within its bound."""
        current = _tick_began(self._clock)
        counts = {place: count for place, count in self._counts.items() if not count.written}
        pairs = self._pairs
        if not counts and not pairs:
            return
        for count in counts.values():
            count.written = True
        self._pairs = []
        try:
            await self._store.put_traffic([self._report(*each) for each in counts.items()], pairs)
            await self._trim()
        except (StoreUnavailable, DiskFull):
            self._faults += 1
            self._pairs = pairs + self._pairs
            for count in counts.values():
                count.written = False
        for place in [place for place, count in self._counts.items() if count.written and place[2] < current]:
            del self._counts[place]

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        return {
            "waiting": len(self._counts) + len(self._pairs),
            "dropped_total": self._dropped,
            "faults_total": self._faults,
        }

    def _count(self, route: Route, measurement: Measurement) -> None:
        watched = self._watch(route)
        if watched is None:
            return
        key = _hash(measurement.routing.key) if measurement.routing.sticky else None
        asked = 0 if key is None else watched.asked.get(key, 0)
        if asked >= QUERIES_PER_KEY or (not asked and len(watched.asked) >= KEYS_MAX):
            return
        count = self._counts_of((route.alias, route.version, _tick_began(self._clock), measurement.variant))
        if key is None:
            count.keyless += 1
        else:
            watched.asked[key] = asked + 1
            if not asked:
                count.keys.add(key)
        count.written = False
        count.queries += 1
        count.degraded += bool(measurement.degraded)
        if measurement.outcome == "ok":
            count.empty += measurement.results == 0
            if not measurement.kept:  # fewer users, fewer hits: a smaller share must not look slower for it
                bucket = latency_bucket(measurement.took_ms)
                count.latency[bucket] = count.latency.get(bucket, 0) + 1
        elif measurement.outcome in FAULTS:
            count.errors += 1
        self._wake.set()

    def _watch(self, route: Route) -> _Watched | None:
        """None for a version that is over: an answer that took long."""
        watched = self._watched.get(route.alias)
        if watched is None or watched.version < route.version:
            watched = self._watched[route.alias] = _Watched(route.version)
        return watched if watched.version == route.version else None

    def _counts_of(self, place: _Place) -> _Count:
        count = self._counts.get(place)
        if count is None:
            while len(self._counts) >= WAITING_MAX:
                del self._counts[next(iter(self._counts))]
                self._dropped += 1
            count = self._counts[place] = _Count()
        return count

    def _report(self, place: _Place, count: _Count) -> TickReport:
        alias, version, began, variant = place
        started = datetime.fromtimestamp(began, UTC)
        return TickReport(alias, version, started, variant, self._reporter, count.tick(), frozenset(count.keys))

    async def _trim(self) -> None:
        now = self._clock.now()
        if self._trimmed_at is None or (now - self._trimmed_at).total_seconds() >= TRIM_S:
            self._trimmed_at = now
            await self._store.trim_traffic(now - KEPT)

    async def _write_behind(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(FLUSH_S)  # what comes within it is written together
            await self.flush()
            if any(not count.written for count in self._counts.values()):
                self._wake.set()


def _tick_began(clock: Clock) -> float:
    return clock.now().timestamp() // TICK_S * TICK_S


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")
