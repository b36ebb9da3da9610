"""Jobs as recorded: listed and read by those who may read the collection that a job works on. Running them is the worker's."""

from vectis.domain.access import Pass, Permission
from vectis.domain.errors import JobNotFound, LimitExceeded
from vectis.domain.jobs import Job
from vectis.domain.ports.control import JobLedger

LIST_MAX = 1000


class JobService:
    """Reads the ledger. A job that is about no collection is seen only by those who see everything."""

    def __init__(self, *, ledger: JobLedger) -> None:
        self._ledger = ledger

    async def list(self, by: Pass, *, limit: int, kind: str | None = None) -> list[Job]:
        """Jobs, newest first, optionally of one kind. Raises LimitExceeded beyond 1000."""
        by.require(Permission.READ_COLLECTIONS)
        if not 1 <= limit <= LIST_MAX:
            raise LimitExceeded(f"limit is {limit}; it may be 1 to {LIST_MAX}", given=limit, maximum=LIST_MAX)
        if by.sees_all():
            return await self._ledger.jobs(limit=limit, kind=kind)
        found: list[Job] = []
        before: str | None = None
        while len(found) < limit:
            page = await self._ledger.jobs(limit=LIST_MAX, kind=kind, before=before)
            found += [job for job in page if _sees(by, job)]
            if len(page) < LIST_MAX:
                break
            before = page[-1].id
        return found[:limit]

    async def get(self, by: Pass, job_id: str) -> Job:
        """One job and how far it is. Raises JobNotFound, for a job that the caller does not see as for one that is not there."""
        by.require(Permission.READ_COLLECTIONS)
        job = await self._ledger.job(job_id)
        if job is None or not _sees(by, job):
            raise JobNotFound(f"no job has the id {job_id[:80]!r}", id=job_id[:80])
        return job


def _sees(by: Pass, job: Job) -> bool:
    return by.sees_all() if job.collection is None else by.sees(job.collection)
