"""The job queue and its runners, over every control store."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from control_suite import NOW, job

from vectis.adapters.durable.queue import LedgerQueue
from vectis.adapters.durable.runner import LeaseRunner
from vectis.adapters.durable.seat import Seat
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.adapters.system.clock import SystemClock
from vectis.domain.errors import (
    Conflict,
    DeadlineExceeded,
    DiskFull,
    DocumentNotFound,
    EngineUnavailable,
    JobNotFound,
    VectisError,
)
from vectis.domain.jobs import Job, JobProgress, JobState, WorkerReport
from vectis.domain.ports.jobs import JobContext, JobHandler, JobQueue, JobRunner
from vectis.domain.ports.leases import Wanted

TIMEOUT_S = 20.0

Both = Callable[[int], tuple[JobQueue, JobRunner]]


@pytest.fixture
def make(store: SqlStore, unique: str) -> Both:
    """A queue and a runner with so many attempts at most."""
    clock = SystemClock()
    return lambda attempts_max: (
        LedgerQueue(store, clock),
        runner_of(store, unique, attempts_max=attempts_max),
    )


def runner_of(store: SqlStore, name: str, **more: Any) -> LeaseRunner:
    return LeaseRunner(store, Seat(name, **more), SystemClock(), lambda *_: None)


@asynccontextmanager
async def running(runner: JobRunner, kind: str, handler: JobHandler) -> AsyncIterator[None]:
    task = asyncio.create_task(runner.run({kind: handler}))
    yield
    await runner.stop()
    await task


def of_kind(kind: str, number: int = 1) -> Job:
    return job(f"{kind}-{number}", kind=kind)


async def test_a_submitted_job_runs_once_with_what_it_was_given(make: Both, unique: str) -> None:
    queue, runner = make(3)
    seen: list[Job] = []

    async def work(given: Job, context: JobContext) -> None:
        seen.append(given)
        await context.report(JobProgress(done=2, total=2, unit="documents", counts={"embedded": 2}))

    async with running(runner, unique, work):
        await queue.submit(of_kind(unique))
        done = await queue.wait(f"{unique}-1", TIMEOUT_S)
        await queue.submit(of_kind(unique))
        again = await queue.wait(f"{unique}-1", TIMEOUT_S)
    assert [given.payload for given in seen] == [of_kind(unique).payload]
    assert (done.state, done.attempt, done.error) == (JobState.DONE, 1, None)
    assert done.progress == JobProgress(done=2, total=2, unit="documents", counts={"embedded": 2})
    assert done.finished_at is not None
    assert again == done


async def test_what_was_recorded_but_never_submitted_runs(make: Both, store: SqlStore, unique: str) -> None:
    queue, runner = make(3)
    for number in range(3):
        await store.record_job(of_kind(unique, number))
    order: list[str] = []

    async def work(given: Job, _: JobContext) -> None:
        order.append(given.id)

    async with running(runner, unique, work):
        for number in range(3):
            assert (await queue.wait(f"{unique}-{number}", TIMEOUT_S)).state is JobState.DONE
    assert order == [f"{unique}-{number}" for number in range(3)]


async def test_a_failure_is_tried_again(make: Both, unique: str) -> None:
    queue, runner = make(3)
    attempts: list[int] = []

    async def work(given: Job, _: JobContext) -> None:
        attempts.append(given.attempt)
        if len(attempts) == 1:
            raise EngineUnavailable("restarting", retry_after_s=0.1)

    async with running(runner, unique, work):
        await queue.submit(of_kind(unique))
        ended = await queue.wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ended.attempt, ended.error) == (JobState.DONE, 2, None)
    assert attempts == [1, 2]


async def test_the_last_failure_makes_it_dead_and_says_why(make: Both, unique: str) -> None:
    queue, runner = make(2)

    async def work(_: Job, context: JobContext) -> None:
        await context.report(JobProgress(done=1, total=2))
        raise ZeroDivisionError("by zero")

    async with running(runner, unique, work):
        await queue.submit(of_kind(unique))
        ended = await queue.wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ended.attempt, ended.error) == (JobState.DEAD, 2, "ZeroDivisionError: by zero")
    assert ended.progress.done == 1
    assert ended.finished_at is not None


@pytest.mark.parametrize("error", [EngineUnavailable("away", retry_after_s=0.05), DiskFull("full")])
async def test_what_is_away_or_full_outside_never_makes_a_job_dead(make: Both, unique: str, error: VectisError) -> None:
    queue, runner = make(1)
    attempts: list[int] = []

    async def work(given: Job, _: JobContext) -> None:
        attempts.append(given.attempt)
        if len(attempts) < 3:
            raise error

    async with running(runner, unique, work):
        await queue.submit(of_kind(unique))
        ended = await queue.wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ended.error, attempts) == (JobState.DONE, None, [1, 2, 3])


async def test_what_cannot_be_helped_is_not_repeated(make: Both, unique: str) -> None:
    queue, runner = make(9)

    async def work(_: Job, __: JobContext) -> None:
        raise DocumentNotFound("there is no document 'a'")

    async with running(runner, unique, work):
        await queue.submit(of_kind(unique))
        ended = await queue.wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ended.attempt, ended.error) == (JobState.DEAD, 1, "there is no document 'a'")


async def test_a_failing_job_holds_up_no_other(make: Both, unique: str) -> None:
    queue, runner = make(9)

    async def work(given: Job, _: JobContext) -> None:
        if given.id.endswith("-1"):
            raise EngineUnavailable("for long", retry_after_s=600)

    async with running(runner, unique, work):
        await queue.submit(of_kind(unique, 1))
        await queue.submit(of_kind(unique, 2))
        assert (await queue.wait(f"{unique}-2", TIMEOUT_S)).state is JobState.DONE
        with pytest.raises(DeadlineExceeded, match="goes on"):
            await queue.wait(f"{unique}-1", 0.05)


async def test_waiting_for_what_is_not_there(make: Both) -> None:
    queue, _ = make(1)
    with pytest.raises(JobNotFound, match="absent"):
        await queue.wait("absent", 1)


async def test_stop_finishes_what_runs_and_takes_nothing_new(make: Both, store: SqlStore, unique: str) -> None:
    queue, runner = make(1)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def work(_: Job, __: JobContext) -> None:
        began.set()
        await go_on.wait()

    task = asyncio.create_task(runner.run({unique: work}))
    await queue.submit(of_kind(unique, 1))
    await queue.submit(of_kind(unique, 2))
    await began.wait()
    stopping = asyncio.create_task(runner.stop())
    done, _ = await asyncio.wait([stopping], timeout=0.2)
    assert not done, "stop returned while a handler ran"
    go_on.set()
    await asyncio.gather(stopping, task)
    first, second = await store.job(f"{unique}-1"), await store.job(f"{unique}-2")
    assert first is not None
    assert second is not None
    assert (first.state, second.state) == (JobState.DONE, JobState.PENDING)


async def test_kinds_without_a_handler_are_left_to_others(make: Both, store: SqlStore, unique: str) -> None:
    queue, runner = make(1)
    await store.record_job(job(f"{unique}-other", kind=f"{unique}-other"))
    async with running(runner, unique, do_nothing):
        await queue.submit(of_kind(unique))
        await queue.wait(f"{unique}-1", TIMEOUT_S)
    other = await store.job(f"{unique}-other")
    assert other is not None
    assert (other.state, other.attempt) == (JobState.PENDING, 0)


async def test_several_workers_share_the_jobs_and_none_runs_twice(store_url: str, store: SqlStore, unique: str) -> None:
    clock = SystemClock()
    stores = [await open_store(store_url) for _ in range(3)]
    runners = [runner_of(each, f"{unique}-{n}", jobs_max=2) for n, each in enumerate(stores)]
    ran: Counter[str] = Counter()

    async def work(given: Job, _: JobContext) -> None:
        ran[given.id] += 1
        await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(runner.run({unique: work})) for runner in runners]
    for number in range(30):
        await store.record_job(of_kind(unique, number))
    queue = LedgerQueue(store, clock)
    ended = [await queue.wait(f"{unique}-{number}", TIMEOUT_S) for number in range(30)]
    for runner in runners:
        await runner.stop()
    await asyncio.gather(*tasks)
    for each in stores:
        await each.close()
    assert all((each.state, each.attempt) == (JobState.DONE, 1) for each in ended)
    assert ran == {f"{unique}-{number}": 1 for number in range(30)}


async def test_who_lost_its_lease_is_cancelled_and_writes_nothing(store: SqlStore, unique: str) -> None:
    clock = SystemClock()
    runner = runner_of(store, unique, lease_s=0.3)
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def work(_: Job, __: JobContext) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with running(runner, unique, work):
        await store.record_job(of_kind(unique))
        await began.wait()
        later = clock.now() + timedelta(hours=1)
        taken = await store.claim_job("other", Wanted((unique,)), now=later, until=later + timedelta(hours=1))
        await asyncio.wait_for(cancelled.wait(), TIMEOUT_S)
    assert taken is not None
    assert await store.job(f"{unique}-1") == taken.job


async def test_a_lease_lasts_as_long_as_its_handler(store: SqlStore, unique: str) -> None:
    clock = SystemClock()
    lease_s = 2.0
    one, two = (runner_of(store, f"{unique}-{n}", lease_s=lease_s) for n in range(2))
    ran: list[int] = []

    async def work(given: Job, _: JobContext) -> None:
        ran.append(given.attempt)
        await asyncio.sleep(1.5 * lease_s)

    async with running(one, unique, work), running(two, unique, work):
        await store.record_job(of_kind(unique))
        ended = await LedgerQueue(store, clock).wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ran) == (JobState.DONE, [1])


async def test_a_job_that_never_ends_its_attempts_is_dead_at_last(store: SqlStore, unique: str) -> None:
    await store.record_job(of_kind(unique))
    for _ in range(100):
        assert await store.claim_job("killed", Wanted((unique,)), now=NOW, until=NOW) is not None
    clock = SystemClock()
    async with running(runner_of(store, unique), unique, do_nothing):
        ended = await LedgerQueue(store, clock).wait(f"{unique}-1", TIMEOUT_S)
    assert ended.state is JobState.DEAD
    assert "100 times" in (ended.error or "")


async def do_nothing(_: Job, __: JobContext) -> None:
    pass


async def test_a_worker_whose_place_was_taken_ends_what_it_runs(store: SqlStore, unique: str) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(_job: Job, _context: JobContext) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await store.record_job(of_kind(unique))
    runner = runner_of(store, unique, lease_s=1.0)
    task = asyncio.create_task(runner.run({unique: work}))
    async with asyncio.timeout(TIMEOUT_S):
        await begun.wait()
        said = None
        while said is None or not await store.report_worker(said.other, after=said.last, gone_before=NOW):
            said = await _elsewhere(store, unique)
        with pytest.raises(Conflict, match="process 1 on elsewhere"):
            await task
    assert ended.is_set()
    kept = await store.job(f"{unique}-1")
    assert kept is not None
    assert kept.state is JobState.RUNNING, "whose lease ends by itself"


class _Said(NamedTuple):
    last: WorkerReport
    other: WorkerReport


async def _elsewhere(store: SqlStore, name: str) -> _Said:
    """What the worker said last, and what another of its name says from another machine."""
    last = await store.worker(name)
    assert last is not None
    now = SystemClock().now() + timedelta(seconds=1)
    return _Said(last, msgspec.structs.replace(last, host="elsewhere", pid=1, seen_at=now))


async def test_a_live_worker_of_the_same_name_elsewhere_is_not_replaced(store: SqlStore, unique: str) -> None:
    now = SystemClock().now()
    last = msgspec.structs.replace(Seat(unique).report(started_at=now, now=now, running=0), host="elsewhere")
    assert await store.report_worker(last, after=None, gone_before=NOW)
    announcing = asyncio.create_task(runner_of(store, unique).announce())
    async with asyncio.timeout(TIMEOUT_S):
        while not announcing.done():
            said = msgspec.structs.replace(last, seen_at=SystemClock().now())
            assert await store.report_worker(said, after=last, gone_before=NOW)
            last = said
            await asyncio.sleep(0.01)  # as often as it likes
    with pytest.raises(Conflict, match="no two may share a name"):
        await announcing
    assert await store.worker(unique) == last


async def test_a_silent_worker_is_replaced_after_a_lease(store: SqlStore, unique: str) -> None:
    now = SystemClock().now()
    dead = msgspec.structs.replace(Seat(unique).report(started_at=now, now=now, running=0), host="elsewhere")
    assert await store.report_worker(dead, after=None, gone_before=NOW)
    async with asyncio.timeout(TIMEOUT_S):
        await runner_of(store, unique, lease_s=0.5).announce()
    kept = await store.worker(unique)
    assert kept is not None
    assert kept.host != "elsewhere"
    assert kept.seen_at - dead.seen_at > timedelta(seconds=0.5)
