"""Schedules over every control store: kept, changed as read only, fired once by whoever comes first."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from control_suite import NOW, job
from msgspec.structs import replace

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.jobs import JobFilter, JobState
from vectis.domain.schedules import Missed, Schedule, SchedulePlan
from vectis.jobs.expiry import EXPIRE_JOBS, EXPIRY_PLANS, expiry_handler
from vectis.jobs.scheduler import Scheduler

HOUR = timedelta(hours=1)
DUE = datetime.fromisoformat("2026-03-01T12:00:00Z")


class SetClock:
    """Shows the time that it was set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def hourly(name: str, **more: object) -> Schedule:
    return Schedule(name, SchedulePlan("0 * * * *", name, {"collection": "docs"}, **more), next_at=DUE)


@pytest.fixture(autouse=True)
async def alone(store: SqlStore) -> AsyncIterator[None]:
    """What is due in the tests of this module is the test's own."""
    yield
    for schedule in await store.schedules():
        await store.remove_schedule(schedule.name)


async def fire(store: SqlStore, at: datetime) -> list[str]:
    return await Scheduler(store, SetClock(at), {}).fire_due()


async def test_a_schedule_is_kept_and_changed_as_it_was_read(store: SqlStore, unique: str) -> None:
    made = hourly(unique)
    assert await store.add_schedule(made)
    assert not await store.add_schedule(replace(made, next_at=None))
    assert await store.schedule(unique) == made
    off = replace(made, plan=replace(made.plan, enabled=False), next_at=None)
    assert await store.move_schedule(made, off)
    assert not await store.move_schedule(made, made, job(f"{unique}-1"))
    assert await store.job(f"{unique}-1") is None
    assert await store.schedules() == [off]
    assert await store.due_schedules(DUE + HOUR) == []
    assert await store.remove_schedule(unique)
    assert not await store.remove_schedule(unique)
    assert await store.schedule(unique) is None


async def test_it_fires_when_it_is_due_and_not_before(store: SqlStore, unique: str) -> None:
    await store.add_schedule(hourly(unique))
    assert await fire(store, DUE - timedelta(microseconds=1)) == []
    (job_id,) = await fire(store, DUE)
    recorded = await store.job(job_id)
    assert recorded is not None
    assert (recorded.kind, recorded.payload, recorded.state) == (unique, {"collection": "docs"}, JobState.PENDING)
    assert (recorded.key, recorded.queue) == (f"{unique}@2026-03-01T12:00Z", "maintenance")
    after = await store.schedule(unique)
    assert after == replace(hourly(unique), next_at=DUE + HOUR, last_at=DUE, last_job=job_id)
    assert await fire(store, DUE + timedelta(minutes=59)) == []
    assert len(await fire(store, DUE + HOUR)) == 1


async def test_of_many_workers_one_fires_it(store_url: str, store: SqlStore, unique: str) -> None:
    for number in range(5):
        await store.add_schedule(hourly(f"{unique}-{number}"))
    stores = [await open_store(store_url) for _ in range(4)]
    fired = await asyncio.gather(*(fire(each, DUE) for each in stores for _ in range(3)))
    for each in stores:
        await each.close()
    for number in range(5):
        (only,) = await store.jobs(limit=10, only=JobFilter(kind=f"{unique}-{number}"))
        assert sum(only.id in ids for ids in fired) == 1


@pytest.mark.parametrize(("missed", "jobs"), [(Missed.RUN_ONCE, 1), (Missed.SKIP, 0)])
async def test_times_at_which_no_worker_was_there(store: SqlStore, unique: str, missed: Missed, jobs: int) -> None:
    await store.add_schedule(hourly(unique, missed=missed))
    later = DUE + 5 * HOUR + timedelta(minutes=30)
    assert len(await fire(store, later)) == jobs
    assert await fire(store, later) == []
    after = await store.schedule(unique)
    assert after is not None
    assert after.next_at == DUE + 6 * HOUR
    assert len(await fire(store, DUE + 6 * HOUR + timedelta(seconds=59))) == 1, "a little late is not missed"


async def test_built_in_schedules_are_added_once(store: SqlStore) -> None:
    for hour in (0, 12):
        scheduler = Scheduler(store, SetClock(DUE + hour * HOUR), EXPIRY_PLANS)
        await asyncio.gather(scheduler.begin(), scheduler.begin())
    (schedule,) = await store.schedules()
    assert (schedule.name, schedule.plan) == ("expire-jobs", EXPIRY_PLANS["expire-jobs"])
    assert schedule.next_at == DUE + 15 * HOUR + timedelta(minutes=17)


async def test_jobs_that_ended_long_ago_are_removed_with_their_logs(store: SqlStore, unique: str) -> None:
    ends = {JobState.DONE: 8, JobState.DEAD: 9, JobState.CANCELLED: 30}
    for state, days in ends.items():
        ended = replace(job(f"{unique}-{state}"), state=state, finished_at=NOW - timedelta(days=days))
        await store.record_job(ended)
        await store.log_job(ended, "ended", NOW)
    young = replace(job(f"{unique}-young"), state=JobState.DONE, finished_at=NOW - timedelta(days=6))
    await store.record_job(young)
    await store.record_job(replace(job(f"{unique}-old"), created_at=NOW - timedelta(days=90)))

    class Context:
        reports: list[int] = []

        async def report(self, progress) -> None:
            self.reports.append(progress.counts["removed"])

        async def log(self, text: str) -> None:
            raise AssertionError(text)

    run = expiry_handler(store, SetClock(NOW), timedelta(days=7))
    assert await store.remove_finished_jobs(NOW - timedelta(days=7), limit=1) == 1
    for _ in range(2):
        await run(job("x", kind=EXPIRE_JOBS), Context())
    assert Context.reports[0] >= 2
    left = [each.id for each in await store.jobs(limit=1000) if each.id.startswith(unique)]
    assert sorted(left) == [f"{unique}-old", f"{unique}-young"]
    assert [await store.job_log(f"{unique}-{state}") for state in ends] == [[], [], []]
