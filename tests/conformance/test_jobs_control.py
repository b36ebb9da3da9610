"""What people do to jobs, over every control store: cancel, retry, recover, look; and the queues that jobs wait in."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from control_suite import NOW, job
from test_jobs import TIMEOUT_S, do_nothing, of_kind, runner_of, running

from vectis.adapters.durable.pauses import pause_after
from vectis.adapters.durable.queue import LedgerQueue
from vectis.adapters.sql.leases import LINES_MAX
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.system.clock import SystemClock
from vectis.domain.errors import Conflict, EngineUnavailable
from vectis.domain.jobs import Job, JobFilter, JobProgress, JobState
from vectis.domain.ports.jobs import JobContext
from vectis.domain.ports.leases import Hold, Wanted

LEASE = timedelta(seconds=30)


def with_(name: str, number: int, **more: object) -> Job:
    return msgspec.structs.replace(of_kind(name, number), **more)


async def claimed(store: SqlStore, wanted: Wanted, at=NOW) -> str | None:
    claim = await store.claim_job("w", wanted, now=at, until=at + LEASE)
    return None if claim is None else claim.job.id


async def test_the_most_urgent_job_runs_first_then_the_oldest(store: SqlStore, unique: str) -> None:
    for number, priority in enumerate([0, 5, -1, 5]):
        await store.record_job(with_(unique, number, priority=priority))
    order = [await claimed(store, Wanted((unique,))) for _ in range(5)]
    assert order == [f"{unique}-1", f"{unique}-3", f"{unique}-0", f"{unique}-2", None]


async def test_a_job_runs_when_it_is_due(store: SqlStore, unique: str) -> None:
    later = NOW + timedelta(hours=1)
    await store.record_job(with_(unique, 1, due_at=later))
    recorded = await store.job(f"{unique}-1")
    assert recorded is not None
    assert recorded.due_at == later
    assert await claimed(store, Wanted((unique,)), later - timedelta(microseconds=1)) is None
    assert await claimed(store, Wanted((unique,)), later) == f"{unique}-1"


async def test_a_queue_keeps_to_its_limit_and_holds_up_no_other(store: SqlStore, unique: str) -> None:
    for number in range(4):
        await store.record_job(with_(unique, number, queue=f"{unique}-slow" if number < 3 else f"{unique}-quick"))
    wanted = Wanted((unique,), limits={f"{unique}-slow": 2})
    assert [await claimed(store, wanted) for _ in range(4)] == [f"{unique}-0", f"{unique}-1", f"{unique}-3", None]
    first = await store.job(f"{unique}-0")
    assert first is not None
    ended = msgspec.structs.replace(first, state=JobState.DONE, finished_at=NOW)
    assert await store.keep_job(ended, failures=0, held_until=None) is Hold.KEPT
    assert await claimed(store, wanted) == f"{unique}-2"


async def test_many_claims_at_once_keep_to_the_limit(store: SqlStore, unique: str) -> None:
    for number in range(12):
        await store.record_job(with_(unique, number, queue=unique))
    wanted = Wanted((unique,), limits={unique: 3})
    got = await asyncio.gather(*(claimed(store, wanted) for _ in range(12)))
    assert sum(each is not None for each in got) == 3


async def test_a_worker_takes_from_its_own_queues_only(store: SqlStore, unique: str) -> None:
    await store.record_job(with_(unique, 1, queue="other"))
    await store.record_job(with_(unique, 2, queue="mine"))
    assert [await claimed(store, Wanted((unique,), queues=("mine",))) for _ in range(2)] == [f"{unique}-2", None]


async def test_one_unfinished_job_has_a_key(store: SqlStore, unique: str) -> None:
    assert await store.record_job(with_(unique, 1, key=unique)) == f"{unique}-1"
    assert await store.record_job(with_(unique, 2, key=unique)) == f"{unique}-1"
    assert await store.job(f"{unique}-2") is None
    assert await store.cancel_job(f"{unique}-1", NOW)
    assert await store.record_job(with_(unique, 2, key=unique)) == f"{unique}-2"
    with pytest.raises(Conflict, match="key"):
        await store.retry_job(f"{unique}-1")


async def test_many_records_of_one_key_at_once_make_one_job(store: SqlStore, unique: str) -> None:
    ids = await asyncio.gather(*(store.record_job(with_(unique, number, key=unique)) for number in range(10)))
    assert len(set(ids)) == 1
    assert len(await store.jobs(limit=20, only=JobFilter(kind=unique))) == 1


async def test_a_pending_job_is_cancelled_at_once_and_an_ended_one_not(store: SqlStore, unique: str) -> None:
    await store.record_job(of_kind(unique))
    assert await store.cancel_job(f"{unique}-1", NOW)
    ended = await store.job(f"{unique}-1")
    assert ended is not None
    assert (ended.state, ended.finished_at) == (JobState.CANCELLED, NOW)
    assert await claimed(store, Wanted((unique,))) is None
    assert not await store.cancel_job(f"{unique}-1", NOW)
    assert not await store.cancel_job("absent", NOW)


async def test_a_running_job_ends_at_its_next_report(store: SqlStore, unique: str) -> None:
    began, cleaned = asyncio.Event(), asyncio.Event()

    async def work(_: Job, context: JobContext) -> None:
        began.set()
        try:
            for number in range(10_000):
                await context.report(JobProgress(done=number, total=10_000))
        finally:
            cleaned.set()

    async with running(runner_of(store, unique), unique, work):
        await store.record_job(of_kind(unique))
        await began.wait()
        assert await store.cancel_job(f"{unique}-1", NOW)
        ended = await LedgerQueue(store, SystemClock()).wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ended.error, ended.attempt) == (JobState.CANCELLED, None, 1)
    assert cleaned.is_set()
    assert [line.text for line in await store.job_log(f"{unique}-1")] == ["cancelled: cancelled while it ran"]


async def test_a_handler_that_reports_nothing_is_cancelled_at_the_next_renewal(store: SqlStore, unique: str) -> None:
    began = asyncio.Event()

    async def work(_: Job, __: JobContext) -> None:
        began.set()
        await asyncio.Event().wait()

    async with running(runner_of(store, unique, lease_s=0.6), unique, work):
        await store.record_job(of_kind(unique))
        await began.wait()
        assert await store.cancel_job(f"{unique}-1", NOW)
        ended = await LedgerQueue(store, SystemClock()).wait(f"{unique}-1", TIMEOUT_S)
    assert ended.state is JobState.CANCELLED


async def test_what_was_cancelled_while_its_worker_died_does_not_run_again(store: SqlStore, unique: str) -> None:
    await store.record_job(of_kind(unique))
    assert await claimed(store, Wanted((unique,))) == f"{unique}-1"
    assert await store.cancel_job(f"{unique}-1", NOW)
    ran: list[str] = []

    async def work(given: Job, _: JobContext) -> None:
        ran.append(given.id)

    async with running(runner_of(store, unique), unique, work):
        ended = await LedgerQueue(store, SystemClock()).wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ran) == (JobState.CANCELLED, [])


async def test_a_dead_job_runs_again_as_if_it_had_never_failed(store: SqlStore, unique: str) -> None:
    attempts: list[int] = []

    async def work(given: Job, _: JobContext) -> None:
        attempts.append(given.attempt)
        if len(attempts) < 4:
            raise ZeroDivisionError("by zero")

    queue = LedgerQueue(store, SystemClock())
    async with running(runner_of(store, unique, attempts_max=2), unique, work):
        await store.record_job(of_kind(unique))
        dead = await queue.wait(f"{unique}-1", TIMEOUT_S)
        assert not await store.retry_job("absent")
        assert await store.retry_job(f"{unique}-1")
        ended = await queue.wait(f"{unique}-1", TIMEOUT_S)
        assert not await store.retry_job(f"{unique}-1")
    assert (dead.state, dead.attempt) == (JobState.DEAD, 2)
    assert (ended.state, ended.attempt, ended.error, attempts) == (JobState.DONE, 4, None, [1, 2, 3, 4])
    texts = [line.text for line in await store.job_log(f"{unique}-1")]
    assert texts[1] == "dead: ZeroDivisionError: by zero"
    assert [text.startswith("failed, runs again in ") for text in texts] == [True, False, True]


async def test_an_attempt_that_does_not_end_in_time_is_handed_back(store: SqlStore, unique: str) -> None:
    began = asyncio.Event()

    async def work(_: Job, __: JobContext) -> None:
        began.set()
        await asyncio.Event().wait()

    runner = runner_of(store, unique, stop_s=0.05)
    task = asyncio.create_task(runner.run({unique: work}))
    await store.record_job(of_kind(unique))
    await began.wait()
    await runner.stop()
    await task
    back = await store.job(f"{unique}-1")
    assert back is not None
    assert (back.state, back.attempt, back.due_at) == (JobState.PENDING, 1, None)
    async with running(runner_of(store, f"{unique}-other"), unique, do_nothing):
        ended = await LedgerQueue(store, SystemClock()).wait(f"{unique}-1", TIMEOUT_S)
    assert (ended.state, ended.attempt, ended.worker) == (JobState.DONE, 2, f"{unique}-other")


async def test_recovering_frees_what_nobody_holds_or_what_one_worker_held(store: SqlStore, unique: str) -> None:
    for number in range(3):
        await store.record_job(of_kind(unique, number))
        claim = await store.claim_job(
            f"{unique}-w{number % 2}", Wanted((unique,)), now=NOW, until=NOW + (number + 1) * LEASE
        )
        assert claim is not None
    mine = {each for each in await store.recover_jobs(NOW + LEASE) if each.startswith(unique)}
    assert mine == {f"{unique}-0"}
    assert await store.recover_jobs(NOW, worker=f"{unique}-w0") == [f"{unique}-2"]
    late = msgspec.structs.replace(claim.job, state=JobState.DONE)
    freed = await store.job(f"{unique}-2")
    assert freed is not None
    assert (freed.state, freed.attempt) == (JobState.PENDING, 1)
    assert await claimed(store, Wanted((unique,))) == f"{unique}-0"
    assert await claimed(store, Wanted((unique,))) == f"{unique}-2"
    assert await store.keep_job(late, failures=0, held_until=None) is Hold.LOST


async def test_a_log_keeps_its_newest_lines(store: SqlStore, unique: str) -> None:
    await store.record_job(of_kind(unique, 1))
    await store.record_job(of_kind(unique, 2))
    await store.log_job(of_kind(unique, 2), "another's", NOW)
    for number in range(LINES_MAX + 5):
        await store.log_job(of_kind(unique, 1), f"line {number}", NOW)
    texts = [line.text for line in await store.job_log(f"{unique}-1")]
    assert texts == [f"line {number}" for number in range(5, LINES_MAX + 5)]
    assert [line.text for line in await store.job_log(f"{unique}-2")] == ["another's"]


async def test_lists_go_on_where_the_page_before_ended(store: SqlStore, unique: str) -> None:
    for number in range(5):
        await store.record_job(with_(unique, number, queue=f"q{number % 2}"))
    only = JobFilter(kind=unique, state=JobState.PENDING)
    first = await store.jobs(limit=2, only=only)
    rest = await store.jobs(limit=9, only=only, before=first[-1].id)
    assert [each.id for each in first + rest] == [f"{unique}-{number}" for number in (4, 3, 2, 1, 0)]
    odd = await store.jobs(limit=9, only=JobFilter(kind=unique, queue="q1"))
    assert [each.id for each in odd] == [f"{unique}-3", f"{unique}-1"]
    assert await store.jobs(limit=9, only=JobFilter(kind=unique, state=JobState.DEAD)) == []


async def test_the_health_of_the_queues(store: SqlStore, unique: str) -> None:
    runner = runner_of(store, unique, jobs_max=3, queues=(unique,))
    async with running(runner, unique, do_nothing):
        await runner.announce()
        await store.record_job(with_(unique, 1, queue=unique))
        await LedgerQueue(store, SystemClock()).wait(f"{unique}-1", TIMEOUT_S)
        await store.record_job(msgspec.structs.replace(job(f"{unique}-2", kind="nobody's"), queue=unique))
        stats = await store.job_stats(SystemClock().now())
        (seen,) = [worker for worker in stats.workers if worker.name == unique]
    assert stats.states[unique] == {JobState.DONE: 1, JobState.PENDING: 1}
    assert stats.count(JobState.DONE) >= 1
    assert stats.waiting_since is not None
    assert stats.waiting_since <= NOW
    (times,) = [times for times in stats.kinds if times.kind == unique]
    assert times.jobs == 1
    assert 0 <= times.run_s_p50 <= times.run_s_p95 <= times.run_s_max < TIMEOUT_S
    assert (seen.jobs_max, seen.queues) == (3, (unique,))
    assert seen.memory_bytes > 1 << 20
    assert unique not in [worker.name for worker in (await store.job_stats(SystemClock().now())).workers]


def test_pauses_grow_and_jobs_that_failed_together_come_back_apart() -> None:
    pauses = [[pause_after(f"job-{n}", failures, ValueError()) for failures in range(1, 12)] for n in range(50)]
    for failures in range(11):
        whole = min(60.0, 0.5 * 2**failures)
        assert all(whole / 2 <= of_job[failures] < whole for of_job in pauses)
        assert len({of_job[failures] for of_job in pauses}) == 50
    assert pause_after("job", 3, EngineUnavailable("away", retry_after_s=100)) == 100
    assert pause_after("job", 3, ValueError()) == pause_after("job", 3, ValueError())
