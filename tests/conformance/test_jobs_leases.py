"""Leases on jobs, over every control store: who may run what, and who may still write."""

from datetime import timedelta
from typing import Any

import msgspec
from control_suite import NOW, job

from vectis.adapters.durable.seat import Seat
from vectis.adapters.sql.store import SqlStore
from vectis.domain.jobs import JobProgress, JobState
from vectis.domain.ports.leases import Hold, Wanted

LEASE = timedelta(seconds=30)


def of(*kinds: str, **more: Any) -> Wanted:
    """What a worker of these kinds takes."""
    return Wanted(kinds, **more)


async def test_a_held_job_is_nobody_elses_until_its_lease_ends(store: SqlStore, unique: str) -> None:
    await store.record_job(job(unique, kind=unique))
    claimed = await store.claim_job("one", of(unique), now=NOW, until=NOW + LEASE)
    assert claimed is not None
    held = claimed.job
    assert (held.id, held.state, held.attempt, claimed.failures) == (unique, JobState.RUNNING, 1, 0)
    assert await store.job(unique) == held
    almost = NOW + LEASE - timedelta(microseconds=1)
    assert await store.claim_job("two", of(unique), now=almost, until=almost + LEASE) is None
    taken = await store.claim_job("two", of(unique), now=NOW + LEASE, until=NOW + 2 * LEASE)
    assert taken is not None
    assert taken.job.attempt == 2


async def test_who_lost_a_lease_writes_and_renews_nothing(store: SqlStore, unique: str) -> None:
    await store.record_job(job(unique, kind=unique))
    first = await store.claim_job("one", of(unique), now=NOW, until=NOW + LEASE)
    second = await store.claim_job("two", of(unique), now=NOW + LEASE, until=NOW + 2 * LEASE)
    assert first is not None
    assert second is not None
    late = msgspec.structs.replace(first.job, state=JobState.DONE, progress=JobProgress(done=9))
    assert await store.keep_job(late, failures=0, held_until=None) is Hold.LOST
    assert await store.renew_leases({unique: 1}, until=NOW + 9 * LEASE) == {}
    assert await store.job(unique) == second.job
    assert await store.renew_leases({unique: 2, "absent": 1}, until=NOW + 9 * LEASE) == {unique: Hold.KEPT}
    assert await store.claim_job("one", of(unique), now=NOW + 8 * LEASE, until=NOW + 9 * LEASE) is None


async def test_an_ended_job_is_ended_for_good(store: SqlStore, unique: str) -> None:
    await store.record_job(job(unique, kind=unique))
    claimed = await store.claim_job("one", of(unique), now=NOW, until=NOW + LEASE)
    assert claimed is not None
    done = msgspec.structs.replace(claimed.job, state=JobState.DONE, finished_at=NOW)
    assert await store.keep_job(done, failures=0, held_until=None) is Hold.KEPT
    assert await store.keep_job(claimed.job, failures=0, held_until=NOW) is Hold.LOST
    assert await store.renew_leases({unique: 1}, until=NOW + LEASE) == {}
    assert await store.claim_job("one", of(unique), now=NOW + LEASE, until=NOW + LEASE) is None
    assert await store.job(unique) == done


async def test_a_pause_is_kept_and_failures_are_counted(store: SqlStore, unique: str) -> None:
    await store.record_job(job(unique, kind=unique))
    claimed = await store.claim_job("one", of(unique), now=NOW, until=NOW + LEASE)
    assert claimed is not None
    failed = msgspec.structs.replace(claimed.job, state=JobState.PENDING)
    assert await store.keep_job(failed, failures=1, held_until=NOW + LEASE) is Hold.KEPT
    assert await store.claim_job("one", of(unique), now=NOW, until=NOW) is None
    again = await store.claim_job("one", of(unique), now=NOW + LEASE, until=NOW + 2 * LEASE)
    assert again is not None
    assert (again.job.attempt, again.failures) == (2, 1)


async def test_a_worker_that_comes_back_lets_go_of_its_own_only(store: SqlStore, unique: str) -> None:
    for number in range(2):
        await store.record_job(job(f"{unique}-{number}", kind=unique))
        assert await store.claim_job(f"{unique}-{number}", of(unique), now=NOW, until=NOW + LEASE) is not None
    await store.release_jobs(f"{unique}-0")
    taken = await store.claim_job("three", of(unique), now=NOW, until=NOW + LEASE)
    assert taken is not None
    assert taken.job.id == f"{unique}-0"
    assert await store.claim_job("three", of(unique), now=NOW, until=NOW + LEASE) is None


async def test_the_oldest_job_of_the_wanted_kinds_comes_first(store: SqlStore, unique: str) -> None:
    for number, kind in enumerate(["b", "a", "a"]):
        await store.record_job(job(f"{unique}-{number}", kind=f"{unique}-{kind}"))
    claimed = await store.claim_job("one", of(f"{unique}-a", f"{unique}-c"), now=NOW, until=NOW + LEASE)
    assert claimed is not None
    assert claimed.job.id == f"{unique}-1"


async def test_a_seat_is_written_again_only_by_who_wrote_it_last(store: SqlStore, unique: str) -> None:
    first = Seat(unique).report(started_at=NOW, now=NOW, running=0)
    later, other = (msgspec.structs.replace(first, seen_at=NOW + LEASE, pid=pid) for pid in (first.pid, 1))
    long_ago = NOW - LEASE
    assert await store.worker(unique) is None
    assert await store.report_worker(first, after=None, gone_before=long_ago)
    assert not await store.report_worker(other, after=None, gone_before=long_ago)
    assert await store.worker(unique) == first
    assert await store.report_worker(later, after=first, gone_before=long_ago)
    assert not await store.report_worker(other, after=first, gone_before=long_ago)
    await store.forget_worker(first)
    assert await store.worker(unique) == later
    await store.forget_worker(later)
    assert await store.worker(unique) is None
    assert await store.report_worker(other, after=later, gone_before=long_ago), "a seat that was forgotten is free"
    await store.forget_worker(other)


async def test_workers_that_were_not_seen_for_long_are_forgotten(store: SqlStore, unique: str) -> None:
    gone, here = (Seat(f"{unique}-{n}").report(started_at=NOW, now=NOW + n * LEASE, running=0) for n in (1, 2))
    assert await store.report_worker(gone, after=None, gone_before=NOW)
    assert await store.report_worker(here, after=None, gone_before=NOW + 2 * LEASE)
    assert await store.worker(gone.name) is None
    await store.forget_worker(here)
