"""Traffic of rollouts in every control store: reports add up over processes, and none counts twice."""

from datetime import timedelta

from control_suite import NOW

from vectis.adapters.sql.store import SqlStore
from vectis.domain.evidence import ShadowPair, VariantTick
from vectis.domain.traffic import TICK_S, PairReport, TickReport

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
    first, second = await store.traffic(unique, 3, before=END)
    assert (first.started, second.started) == (NOW, LATER)
    assert first.variants["stable"] == VariantTick(queries=5, errors=2, latency={7: 5}, keys=3)
    assert first.variants["candidate"] == VariantTick(queries=4, errors=1, latency={7: 4}, keys=1)
    assert second.variants == {"stable": VariantTick(queries=1, errors=1, latency={7: 1}, keys=0)}
    assert await store.traffic(unique, 3, before=LATER) == [first]
    (since,) = await store.traffic(unique, 3, before=END, since=LATER)
    assert since.variants == {"stable": VariantTick(queries=1, errors=1, latency={7: 1}, keys=1)}
    assert await store.traffic(unique, 5, before=END) == []


async def test_a_report_replaces_the_former_of_its_process(store: SqlStore, unique: str) -> None:
    for queries in (1, 4, 4):
        await store.put_traffic([report(unique, "api-1", queries, keys=frozenset(range(queries)))], [])
    (window,) = await store.traffic(unique, 3, before=END)
    assert window.variants["stable"] == VariantTick(queries=4, errors=1, latency={7: 4}, keys=4)


async def test_pairs_come_once_each_and_in_order(store: SqlStore, unique: str) -> None:
    await store.put_traffic([], [pair(unique, 2), pair(unique, 1), pair(unique, 1, version=4)])
    await store.put_traffic([], [pair(unique, 1), pair(unique, 3, reporter="api-2")])
    kept = await store.shadow_pairs(unique, 3)
    assert [each.query for each in kept] == ["q1", "q2", "q3"]
    assert kept[0] == ShadowPair("q1", ("a",), ("b",), 1.5, 2.5, ("a",))
    assert len(await store.shadow_pairs(unique, 4)) == 1


async def test_what_is_old_is_removed(store: SqlStore, unique: str) -> None:
    reports = [report(unique, "api-1", 1), report(unique, "api-1", 1, started=LATER)]
    await store.put_traffic(reports, [pair(unique, 1), pair(unique, 9)])
    await store.trim_traffic(LATER)
    assert [each.started for each in await store.traffic(unique, 3, before=END)] == [LATER]
    assert [each.query for each in await store.shadow_pairs(unique, 3)] == ["q9"]
