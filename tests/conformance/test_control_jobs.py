"""The job ledger of every control store."""

from datetime import timedelta

import msgspec
from control_suite import NOW, job

from vectis.adapters.sql.store import SqlStore
from vectis.domain.jobs import JobFilter, JobProgress, JobState
from vectis.domain.ports.leases import Hold


async def test_a_job_comes_back_as_it_was_recorded(store: SqlStore, unique: str) -> None:
    recorded = msgspec.structs.replace(job(unique), payload={"ids": ["a", "b"], "n": 1, "deep": {"x": None}})
    await store.record_job(recorded)
    assert await store.job(unique) == recorded
    assert await store.job("absent") is None


async def test_recording_again_changes_nothing(store: SqlStore, unique: str) -> None:
    running = msgspec.structs.replace(job(unique), state=JobState.RUNNING, attempt=1)
    await store.record_job(running)
    await store.record_job(job(unique, kind="other"))
    assert await store.job(unique) == running


async def test_updates_keep_kind_payload_and_time(store: SqlStore, unique: str) -> None:
    await store.record_job(msgspec.structs.replace(job(unique), attempt=5))
    ended = msgspec.structs.replace(
        job(unique),
        state=JobState.DEAD,
        progress=JobProgress(done=2**40, total=2**41, unit="documents", counts={"embedded": 3}),
        attempt=5,
        error="ValueError: no",
        finished_at=NOW + timedelta(microseconds=1),
    )
    changed = msgspec.structs.replace(ended, kind="other", payload={}, created_at=None)
    assert await store.keep_job(changed, failures=0, held_until=None) is Hold.KEPT
    assert await store.job(unique) == ended
    assert await store.keep_job(job("absent"), failures=0, held_until=None) is Hold.LOST


async def test_lists_are_in_order_of_recording(store: SqlStore, unique: str) -> None:
    ids = [f"{unique}-{n}" for n in (3, 1, 2)]
    for job_id in ids:
        await store.record_job(job(job_id, kind=unique))
    assert [each.id for each in await store.jobs(limit=10, only=JobFilter(kind=unique))] == ids[::-1]
    assert [each.id for each in await store.jobs(limit=2)] == ids[:0:-1]
    assert [each.id for each in await store.jobs(limit=10, only=JobFilter(kind=unique), before=ids[2])] == ids[1::-1]
    assert await store.jobs(limit=10, only=JobFilter(kind=unique), before=ids[0]) == []
    unfinished = [each.id for each in await store.unfinished_jobs(limit=1000) if each.kind == unique]
    assert unfinished == ids


async def test_finished_jobs_are_not_unfinished(store: SqlStore, unique: str) -> None:
    for state in JobState:
        await store.record_job(msgspec.structs.replace(job(f"{unique}-{state}", kind=unique), state=state))
    unfinished = {each.id for each in await store.unfinished_jobs(limit=1000) if each.kind == unique}
    assert unfinished == {f"{unique}-pending", f"{unique}-running"}
