"""Traffic of rollouts in every control store: reports add up over processes, and none counts twice."""

from datetime import timedelta

from control_suite import NOW
from msgspec.structs import replace

from vectis.adapters.sql.store import SqlStore
from vectis.domain.evidence import ShadowPair, VariantTick
from vectis.domain.rollouts import ChangeKind, Rollout, Step, Strategy
from vectis.domain.traffic import TICK_S, PairReport, TickReport, added_up
from vectis.rollouts.strategies import default_spec

LATER = NOW + timedelta(seconds=TICK_S)
END = NOW + timedelta(days=1)


def report(alias: str, reporter: str, queries: int, **given: object) -> TickReport:
    fields: dict[str, object] = {"started": NOW, "variant": "stable", "route_version": 3, **given}
    return TickReport(
        alias=alias, reporter=reporter, tick=VariantTick(queries=queries, errors=1, latency={7: queries}), **fields
    )  # type: ignore[arg-type]


def pair(alias: str, number: int, *, reporter: str = "api-1", version: int = 3) -> PairReport:
    at = NOW + timedelta(seconds=number)
    return PairReport(alias, version, reporter, number, at, ShadowPair(f"q{number}", ("a",), ("b",), 1.5, 2.5, ("a",)))


async def test_reports_of_all_processes_add_up(store: SqlStore, unique: str) -> None:
    big, small = (1 << 64) - 1, 0
    await store.put_traffic(
        [
            report(unique, "api-1", 2, keys=frozenset({big, small})),
            report(unique, "api-2", 3, keys=frozenset({small, 5})),
            report(unique, "api-1", 4, variant="candidate", keys=frozenset({9})),
            report(unique, "api-1", 1, started=LATER, keys=frozenset({5})),
            report(unique, "api-1", 100, route_version=4),
            report(f"{unique}x", "api-1", 100),
        ],
        [],
    )
    reports = await store.traffic(unique, 3, since=NOW, before=END)
    assert [each.started for each in reports] == [NOW] * 4 + [LATER]
    seen: set[int] = set()
    first = added_up([each for each in reports if each.started == NOW and each.route_version == 3], seen)
    assert first["stable"] == VariantTick(queries=5, errors=2, latency={7: 5}, keys=3)
    assert first["candidate"] == VariantTick(queries=4, errors=1, latency={7: 4}, keys=1)
    assert added_up(reports[-1:], seen) == {"stable": VariantTick(queries=1, errors=1, latency={7: 1}, keys=0)}
    assert len(await store.traffic(unique, 3, since=NOW, before=LATER)) == 4
    assert await store.traffic(unique, 3, since=LATER, before=END) == reports[-1:]
    assert [each.tick.queries for each in await store.traffic(unique, 4, since=NOW, before=END)] == [100]
    assert await store.traffic(unique, 5, since=NOW, before=END) == []


async def test_a_report_replaces_the_former_of_its_process(store: SqlStore, unique: str) -> None:
    for queries in (1, 4, 4):
        await store.put_traffic([report(unique, "api-1", queries, keys=frozenset(range(queries)))], [])
    (kept,) = await store.traffic(unique, 3, since=NOW, before=END)
    assert kept == report(unique, "api-1", 4, keys=frozenset(range(4)))


async def test_pairs_come_once_each_and_in_order(store: SqlStore, unique: str) -> None:
    await store.put_traffic([], [pair(unique, 2), pair(unique, 1), pair(unique, 1, version=4)])
    await store.put_traffic([], [pair(unique, 1), pair(unique, 3, reporter="api-2")])
    kept = await store.shadow_pairs(unique, 3, since=NOW)
    assert [each.query for each in kept] == ["q1", "q1", "q2", "q3"]
    assert kept[0] == ShadowPair("q1", ("a",), ("b",), 1.5, 2.5, ("a",))
    assert len(await store.shadow_pairs(unique, 4, since=NOW)) == 1
    assert [each.query for each in await store.shadow_pairs(unique, 3, since=NOW + timedelta(seconds=2))] == [
        "q2",
        "q3",
    ]


async def test_what_is_old_is_removed_unless_a_rollout_needs_it(store: SqlStore, unique: str) -> None:
    busy = f"{unique}_busy"
    rollout = Rollout(busy, default_spec(busy, Strategy.CANARY, ChangeKind.REEMBED), "a", "b", created_at=NOW)
    await store.add_rollout(rollout, by="test")
    for alias in (unique, busy):
        reports = [report(alias, "api-1", 1), report(alias, "api-1", 1, started=LATER)]
        await store.put_traffic(reports, [pair(alias, 1), pair(alias, 9)])
    await store.trim_traffic(LATER)
    started, queries = [each.started for each in await ticks(store, unique)], await pairs(store, unique)
    assert (started, queries) == ([LATER], ["q9"])
    assert (len(await ticks(store, busy)), len(await pairs(store, busy))) == (2, 2)
    await store.keep_rollout(replace(rollout, step=Step.GRACE, generation=2), by="test", now=NOW)
    await store.trim_traffic(LATER)
    assert (len(await ticks(store, busy)), len(await pairs(store, busy))) == (1, 1)


async def ticks(store: SqlStore, alias: str) -> list[TickReport]:
    return await store.traffic(alias, 3, since=NOW, before=END)


async def pairs(store: SqlStore, alias: str) -> list[str]:
    return [each.query for each in await store.shadow_pairs(alias, 3, since=NOW)]
