"""What a plan may say, who may see and change schedules."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.adapters.system.clock import SystemClock
from vectis.domain.access import ANYONE, Caller, Permission, Right, authorize
from vectis.domain.errors import Conflict, InvalidInput, InvalidName, PermissionDenied, ScheduleNotFound
from vectis.domain.schedules import SchedulePlan
from vectis.jobs.planning import OfCollection, OfNothing, next_after
from vectis.jobs.schedules import Schedules

NIGHTLY = SchedulePlan("0 4 * * *", "optimize", {"collection": "docs"})
SWEEP = SchedulePlan("0 5 * * *", "sweep")
DOCS_ONLY = Caller(name="dan", rights=(Right(frozenset(Permission), ("docs*",)),))


@pytest.fixture
async def schedules() -> AsyncIterator[Schedules]:
    store: SqlStore = await open_store("sqlite:///:memory:")
    kinds = {"optimize": OfCollection, "sweep": OfNothing}
    yield Schedules(store=store, ledger=store, clock=SystemClock(), kinds=kinds, built_in=("sweep",))
    await store.close()


def reads(caller: Caller = ANYONE):
    return authorize(caller, Permission.VIEW_METRICS)


def changes(caller: Caller = ANYONE):
    return authorize(caller, Permission.RESTART_SERVICES)


@pytest.mark.parametrize(
    ("cron", "at", "wanted"),
    [
        ("0 4 * * *", "2026-02-28T04:00:00Z", "2026-03-01T04:00:00Z"),
        ("0 4 * * 1", "2026-03-01T03:59:59.9Z", "2026-03-02T04:00:00Z"),
        ("*/15 * * * *", "2026-03-01T12:14:59.999Z", "2026-03-01T12:15:00Z"),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
    ],
)
def test_the_next_time_is_after_now_in_utc(cron: str, at: str, wanted: str) -> None:
    assert next_after(cron, datetime.fromisoformat(at)) == datetime.fromisoformat(wanted)


@pytest.mark.parametrize(
    "cron",
    ["", "* * * *", "* * * * * *", "61 * * * *", "x * * * *", "0 0 31 2 *", "0 0 30 2 *", "1," * 200 + "1 * * * *"],
)
def test_what_is_no_time_is_refused(cron: str) -> None:
    with pytest.raises(InvalidInput, match="cron: "):
        next_after(cron, datetime.fromisoformat("2026-03-01T00:00:00Z"))


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (
            SchedulePlan("0 4 * * *", "ingest", {"collection": "docs"}),
            "'ingest' cannot be scheduled; there is optimize, sweep",
        ),
        (SchedulePlan("0 4 * * *", "optimize"), "payload of optimize: .*`collection`"),
        (SchedulePlan("0 4 * * *", "optimize", {"collection": "docs", "more": 1}), "payload of optimize: .*`more`"),
        (SchedulePlan("0 4 * * *", "optimize", {"collection": "no such/name"}), "is not allowed"),
        (SchedulePlan("0 4 * * *", "sweep", {"collection": "docs"}), "payload of sweep: "),
    ],
)
async def test_a_payload_is_what_the_kind_needs(schedules: Schedules, plan: SchedulePlan, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        await schedules.put(changes(), "tidy", plan)


async def test_a_schedule_is_made_changed_switched_off_and_removed(schedules: Schedules) -> None:
    before, made = await schedules.put(changes(), "tidy", NIGHTLY)
    assert before is None
    assert made.next_at is not None
    off = SchedulePlan(NIGHTLY.cron, NIGHTLY.kind, NIGHTLY.payload, enabled=False)
    before, changed = await schedules.put(changes(), "tidy", off)
    assert (before, changed.next_at, changed.plan) == (made, None, off)
    assert await schedules.list(reads()) == [changed]
    assert await schedules.remove(changes(), "tidy") == changed
    with pytest.raises(ScheduleNotFound):
        await schedules.get(reads(), "tidy")


async def test_running_one_twice_is_one_job_while_it_waits(schedules: Schedules) -> None:
    await schedules.put(changes(), "tidy", NIGHTLY)
    first, second = [await schedules.run(changes(), "tidy") for _ in range(2)]
    assert first == second
    assert (first.kind, first.collection) == ("optimize", "docs")


async def test_what_is_built_in_stays(schedules: Schedules) -> None:
    await schedules.put(changes(), "sweep", SWEEP)
    with pytest.raises(Conflict, match="switch it off"):
        await schedules.remove(changes(), "sweep")
    with pytest.raises(Conflict, match="built in"):
        await schedules.put(changes(), "sweep", NIGHTLY)


async def test_only_who_covers_the_collection_sees_and_changes_a_schedule(schedules: Schedules) -> None:
    other = SchedulePlan("0 4 * * *", "optimize", {"collection": "other"})
    for name, plan in (("mine", NIGHTLY), ("theirs", other), ("sweep", SWEEP)):
        await schedules.put(changes(), name, plan)
    assert [each.name for each in await schedules.list(reads(DOCS_ONLY))] == ["mine"]
    for name in ("theirs", "sweep"):
        for refused in (schedules.get(reads(DOCS_ONLY), name), schedules.run(changes(DOCS_ONLY), name)):
            with pytest.raises(ScheduleNotFound):
                await refused
        with pytest.raises(PermissionDenied):
            await schedules.put(changes(DOCS_ONLY), name, NIGHTLY)
    with pytest.raises(PermissionDenied):
        await schedules.put(changes(DOCS_ONLY), "mine", other)
    assert (await schedules.get(reads(), "mine")).plan == NIGHTLY


@pytest.mark.parametrize("name", ["", "a b", "acme~tidy", "x" * 129, "a\0"])
async def test_names(schedules: Schedules, name: str) -> None:
    with pytest.raises(InvalidName):
        await schedules.put(changes(), name, NIGHTLY)
