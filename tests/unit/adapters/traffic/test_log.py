"""The traffic log: what counts, how often a key does, and that a store that is away costs nothing but time."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest
from msgspec.structs import replace

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.adapters.traffic import log as traffic
from vectis.adapters.traffic.log import TrafficLog
from vectis.domain.errors import StoreUnavailable
from vectis.domain.evidence import ShadowPair, VariantTick, latency_bucket
from vectis.domain.measurements import INTERRUPTED, Measurement
from vectis.domain.routes import INTERLEAVED, Route, RoutePlan, Routing, Target
from vectis.domain.traffic import TICK_S, PairReport, TickReport, added_up

NOW = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
END = NOW + timedelta(days=1)
PLAN = RoutePlan((Target("a", "stable", 95.0), Target("b", "candidate", 5.0)), salt="s", followers=("b",))
ROUTE = Route("docs", PLAN, version=7)
PAIR = ShadowPair("q", ("1",), ("2",), 1.0, 2.0)


class World:
    """A traffic log over a store that can be away, noting what goes on to the next log."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.clock = ManualClock(NOW)
        self.passed_on: list[Measurement] = []
        self.away = False
        self.log = TrafficLog(self, self, self.clock, reporter="api-1")

    def append(self, measurement: Measurement) -> None:
        self.passed_on.append(measurement)

    async def put_traffic(self, ticks: Sequence[TickReport], pairs: Sequence[PairReport]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        await self.store.put_traffic(ticks, pairs)

    async def trim_traffic(self, before: datetime) -> None:
        await self.store.trim_traffic(before)

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def ask(self, variant: str = "stable", *, key: str = "", times: int = 1, **given: object) -> None:
        asked = Measurement(
            "docs", "a", variant, "vector", "ok", 3, took_ms=10.0, route=ROUTE, routing=Routing(key, bool(key))
        )
        for _ in range(times):
            self.log.append(replace(asked, **given))

    async def ticks(self, version: int = 7) -> list[dict[str, VariantTick]]:
        """What each variant did, tick by tick."""
        await self.log.flush()
        reports = [each for each in await self.reports() if each.route_version == version]
        seen: set[int] = set()
        return [added_up(tick, seen) for _, tick in groupby(reports, lambda report: report.started)]

    async def reports(self) -> list[TickReport]:
        return await self.store.traffic("docs", 7, since=NOW - timedelta(days=1), before=END)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    store = await open_store("sqlite:///:memory:")
    yield World(store)
    await store.close()


async def test_each_kind_of_answer_counts_as_what_it_is(world: World) -> None:
    world.ask()
    world.ask(results=0)
    world.ask(degraded=("dense",), took_ms=50.0)
    world.ask(outcome="deadline_exceeded", results=0)
    world.ask(outcome="invalid_filter", results=0)
    world.ask(outcome=INTERRUPTED, results=0)
    world.ask("candidate", kept=True)
    (tick,) = await world.ticks()
    slow, fast = latency_bucket(50.0), latency_bucket(10.0)
    assert tick == {
        "stable": VariantTick(queries=6, errors=1, empty=1, degraded=1, latency={fast: 2, slow: 1}, keys=6),
        "candidate": VariantTick(queries=1, keys=1),  # a kept answer says nothing about how long computing takes
    }
    assert len(world.passed_on) == 7


async def test_what_no_rollout_wants_to_know_is_only_passed_on(world: World) -> None:
    world.ask(route=None)
    world.ask(route=Route("docs", RoutePlan((Target("a"),)), version=7))
    world.ask(routing=Routing("k", variant="candidate"))
    world.ask(INTERLEAVED, key="ada")
    world.ask(INTERLEAVED, key="ada", outcome="engine_unavailable")
    assert await world.ticks() == []
    assert len(world.passed_on) == 5


async def test_a_key_counts_once_per_version_and_only_a_few_of_its_queries(world: World) -> None:
    world.ask(key="ada", times=traffic.QUERIES_PER_KEY - 1)
    world.ask(key="bob", times=traffic.QUERIES_PER_KEY + 5)
    world.ask(times=7)  # whoever sends no key is another one each time
    world.clock.advance(TICK_S)
    world.ask(key="ada", times=4)
    world.ask(key="bob")
    first, second = await world.ticks()
    assert first["stable"].queries == 2 * traffic.QUERIES_PER_KEY - 1 + 7
    assert first["stable"].keys == 2 + 7
    assert second["stable"] == VariantTick(queries=1, latency={latency_bucket(10.0): 1})


async def test_flushed_again_and_again_everything_counts_once(world: World) -> None:
    for _ in range(3):
        world.ask(key="ada")
        await world.ticks()
    world.clock.advance(3 * TICK_S)
    (tick,) = await world.ticks()
    assert (tick["stable"].queries, tick["stable"].keys) == (3, 1)
    assert world.log.counts()["waiting"] == 1
    world.ask()
    await world.ticks()
    assert world.log.counts()["waiting"] == 1  # the tick that is over went, the one that began stays


async def test_a_store_that_is_away_gets_everything_later(world: World) -> None:
    world.away = True
    world.ask(times=2)
    world.log.append_pair(ROUTE, PAIR)
    await world.log.flush()
    world.clock.advance(TICK_S)
    world.ask()
    await world.log.flush()
    assert world.log.counts()["faults_total"] == 2
    world.away = False
    assert [tick["stable"].queries for tick in await world.ticks()] == [2, 1]
    assert await world.store.shadow_pairs("docs", 7, since=NOW) == [PAIR]


async def test_what_waits_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "WAITING_MAX", 3)
    world.away = True
    for _ in range(5):
        world.ask()
        await world.log.flush()
        world.clock.advance(TICK_S)
    world.away = False
    assert len(await world.ticks()) == 3
    assert world.log.counts()["dropped_total"] == 2


async def test_keys_and_pairs_of_a_version_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "KEYS_MAX", 4)
    monkeypatch.setattr(traffic, "PAIRS_MAX", 2)
    for number in range(9):
        world.ask(key=f"user-{number}")
        world.log.append_pair(ROUTE, PAIR)
    (tick,) = await world.ticks()
    assert tick["stable"] == VariantTick(queries=4, keys=4, latency={latency_bucket(10.0): 4})
    assert len(await world.store.shadow_pairs("docs", 7, since=NOW)) == 2


async def test_another_version_begins_anew_and_late_answers_of_the_former_do_not_count(world: World) -> None:
    world.ask(key="ada")
    later = replace(ROUTE, version=8)
    world.ask(key="ada", route=later)
    world.ask(key="ada")
    (before,), (after,) = await world.ticks(7), await world.ticks(8)
    assert (before["stable"].queries, after["stable"].queries) == (1, 1)
    assert after["stable"].keys == 1


async def test_a_log_that_is_closed_has_written_everything(world: World) -> None:
    await world.log.open()
    world.ask()
    await world.log.close()
    assert [each.tick.queries for each in await world.reports()] == [1]
