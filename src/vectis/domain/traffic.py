"""What each process saw of an alias under a rollout, and how it adds up. Reports are whole, so that one may come twice."""

from collections.abc import Iterable, MutableSet
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from vectis.domain.evidence import LATENCY_GROWTH, ShadowPair, VariantTick

TICK_S = 5.0
"""How long a tick lasts; ticks begin at multiples of it since 1970, so that those of all processes are the same."""


REPORTED_S = 3.0
"""How long after its end a tick may still grow: each process reports about each second."""


class TickReport(msgspec.Struct, frozen=True):
    """What one process (`reporter`, another after each start) saw of one variant in one tick, so far.

    `keys` are hashes of the routing keys that the process saw for the first time under this version of the route, so that a key
    counts once, however many processes see it; `tick.keys` are requests without one, each of which counts by itself.
    """

    alias: str
    route_version: int
    started: datetime
    variant: str
    reporter: str
    tick: VariantTick
    keys: frozenset[int] = frozenset()


class PairReport(msgspec.Struct, frozen=True):
    """A query that was asked of both variants. `number` counts those of its reporter."""

    alias: str
    route_version: int
    reporter: str
    number: int
    at: datetime
    pair: ShadowPair


class VariantFigures(msgspec.Struct, frozen=True):
    """What a variant answered, added up. Quantiles are exact to 2 % upwards; None while no answer was timed."""

    queries: int
    errors: int
    empty: int
    degraded: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def figures_of(tick: VariantTick) -> VariantFigures:
    """A tick, or the sum of several, as people read it."""
    return VariantFigures(
        queries=tick.queries,
        errors=tick.errors,
        empty=tick.empty,
        degraded=tick.degraded,
        p50_ms=_quantile_ms(tick.latency, 0.5),
        p95_ms=_quantile_ms(tick.latency, 0.95),
        p99_ms=_quantile_ms(tick.latency, 0.99),
    )


def settled_before(now: datetime) -> datetime:
    """Ticks that began before this are whole, unless a process cannot reach the store."""
    return now - timedelta(seconds=TICK_S + REPORTED_S)


def added_up(reports: Iterable[TickReport], seen: MutableSet[int]) -> dict[str, VariantTick]:
    """The reports of one alias by variant, as if one process had seen all of it in one tick; a variant that nobody asked is not
    there. Routing keys in `seen` do not count again, and those that count are put there."""
    found: dict[str, VariantTick] = {}
    for report in reports:
        unseen = report.keys - seen
        seen |= unseen
        so_far = found.get(report.variant, VariantTick())
        found[report.variant] = added(so_far, replace(report.tick, keys=report.tick.keys + len(unseen)))
    return found


def added(one: VariantTick, other: VariantTick) -> VariantTick:
    """What both counted together."""
    latency = dict(one.latency)
    for bucket, count in other.latency.items():
        latency[bucket] = latency.get(bucket, 0) + count
    return VariantTick(
        queries=one.queries + other.queries,
        errors=one.errors + other.errors,
        empty=one.empty + other.empty,
        degraded=one.degraded + other.degraded,
        latency=latency,
        keys=one.keys + other.keys,
    )


def _quantile_ms(latency: dict[int, int], quantile: float) -> float | None:
    """The upper bound of the bucket that holds it."""
    answered, seen = sum(latency.values()), 0
    for bucket in sorted(latency):
        seen += latency[bucket]
        if seen >= quantile * answered:
            return round(LATENCY_GROWTH**bucket, 3)
    return None
