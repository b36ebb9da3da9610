"""Who sees which jobs."""

from collections.abc import AsyncIterator

import pytest
from passes import reads_all

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.adapters.system.clock import SystemClock
from vectis.domain.access import Caller, Permission, Right
from vectis.domain.errors import JobNotFound, LimitExceeded
from vectis.domain.jobs import Job, JobState
from vectis.jobs.service import LIST_MAX, JobService

READER = Right(frozenset({Permission.READ_COLLECTIONS}))
ADMIN = Caller(name="root", rights=(READER,))
ACME = Caller(name="ann", rights=(READER,), tenant="acme")
DOCS = Caller(name="dan", rights=(Right(READER.permissions, ("docs*",)),))


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    store = await open_store("sqlite:///:memory:")
    yield store
    await store.close()


async def record(store: SqlStore, id: str, collection: str | None) -> None:
    payload = {} if collection is None else {"collection": collection}
    await store.record_job(Job(id, "ingest", JobState.PENDING, payload))


async def test_jobs_are_seen_by_who_may_read_their_collection(store: SqlStore) -> None:
    for id, collection in (("1", "docs"), ("2", "acme~docs"), ("3", "globex~docs"), ("4", None), ("5", "other")):
        await record(store, id, collection)
    service = JobService(ledger=store, clock=SystemClock())
    seen = {who.name: [job.id for job in await service.list(reads_all(who), limit=10)] for who in (ADMIN, ACME, DOCS)}
    assert seen == {"root": ["5", "4", "3", "2", "1"], "ann": ["2"], "dan": ["1"]}
    for who, ids in seen.items():
        by = reads_all(next(c for c in (ADMIN, ACME, DOCS) if c.name == who))
        for id in "12345":
            if id in ids:
                assert (await service.get(by, id)).id == id
            else:
                with pytest.raises(JobNotFound, match=f"no job has the id '{id}'"):
                    await service.get(by, id)


async def test_a_job_behind_many_of_others_is_found(store: SqlStore) -> None:
    for number in range(2):
        await record(store, f"mine-{number}", "acme~docs")
    for number in range(LIST_MAX):
        await record(store, f"other-{number}", "globex~docs")
    service = JobService(ledger=store, clock=SystemClock())
    assert [job.id for job in await service.list(reads_all(ACME), limit=5)] == ["mine-1", "mine-0"]
    assert [job.id for job in await service.list(reads_all(ACME), limit=1)] == ["mine-1"]


@pytest.mark.parametrize("limit", [0, LIST_MAX + 1])
async def test_a_page_has_a_limit(store: SqlStore, limit: int) -> None:
    with pytest.raises(LimitExceeded):
        await JobService(ledger=store, clock=SystemClock()).list(reads_all(), limit=limit)
