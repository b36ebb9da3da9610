"""Jobs as recorded: listed and read by those who may read the collection that a job works on; retried, cancelled, recovered.

Running them is the worker's.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from vectis.domain.access import Pass, Permission
from vectis.domain.errors import Conflict, JobNotFound, LimitExceeded
from vectis.domain.jobs import ANY_JOB, UNFINISHED, Job, JobFilter, JobLine, JobStats
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import JobLedger

LIST_MAX = 1000
_LOOK_S = 0.25
_QUIET_S = 15.0


class JobService:
    """The ledger for callers. A job that is about no collection is seen only by those who see everything."""

    def __init__(self, *, ledger: JobLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def list(self, by: Pass, *, limit: int, only: JobFilter = ANY_JOB, before: str | None = None) -> "list[Job]":
        """Jobs, newest first, optionally only those recorded before the job `before`. Raises LimitExceeded beyond 1000."""
        by.require(Permission.READ_COLLECTIONS)
        if not 1 <= limit <= LIST_MAX:
            raise LimitExceeded(f"limit is {limit}; it may be 1 to {LIST_MAX}", given=limit, maximum=LIST_MAX)
        if by.sees_all():
            return await self._ledger.jobs(limit=limit, only=only, before=before)
        found: list[Job] = []
        while len(found) < limit:
            page = await self._ledger.jobs(limit=LIST_MAX, only=only, before=before)
            found += [job for job in page if sees_work_on(by, job.collection)]
            if len(page) < LIST_MAX:
                break
            before = page[-1].id
        return found[:limit]

    async def get(self, by: Pass, job_id: str) -> Job:
        """One job and how far it is. Raises JobNotFound, for a job that the caller does not see as for one that is not there."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._seen(by, job_id)

    async def log(self, by: Pass, job_id: str) -> "list[JobLine]":
        """What was logged for a job, oldest first. Raises JobNotFound."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._ledger.job_log((await self._seen(by, job_id)).id)

    async def follow(self, by: Pass, job_id: str, *, for_s: float) -> AsyncGenerator[Job | None]:
        """The job as it is and at each change, until it has ended or `for_s` are over; None after 15 s without a change.

        Raises JobNotFound.
        """
        by.require(Permission.READ_COLLECTIONS)
        began = told = self._clock.monotonic()
        seen: Job | None = None
        while True:
            job, now = await self._seen(by, job_id), self._clock.monotonic()
            if job != seen or now - told >= _QUIET_S:
                yield job if job != seen else None
                seen, told = job, now
            if job.state not in UNFINISHED or now - began >= for_s:
                return
            await asyncio.sleep(_LOOK_S)  # the job changes in another process, and SQLite cannot call

    async def retry(self, by: Pass, job_id: str) -> Job:
        """Let a dead or cancelled job run again, its failures forgotten. Raises JobNotFound; Conflict when it is neither."""
        by.require(Permission.RESTART_SERVICES)
        job = await self._seen(by, job_id)
        if not await self._ledger.retry_job(job_id):
            raise Conflict(f"job {job_id} is {job.state.value}; only dead and cancelled jobs are retried", id=job_id)
        return await self._seen(by, job_id)

    async def retry_all(self, by: Pass, only: JobFilter) -> "list[str]":
        """Let every job that the caller sees and `only` names, at most 1000, run again; gives the ids of those that will."""
        by.require(Permission.RESTART_SERVICES)
        retried: list[str] = []
        for job in await self._ledger.jobs(limit=LIST_MAX, only=only):
            with suppress(Conflict):  # another job with its key does the work
                if sees_work_on(by, job.collection) and await self._ledger.retry_job(job.id):
                    retried.append(job.id)
        return retried

    async def cancel(self, by: Pass, job_id: str) -> Job:
        """End a pending job at once; a running one ends at its next report. Raises JobNotFound; Conflict when it has ended."""
        by.require(Permission.RESTART_SERVICES)
        job = await self._seen(by, job_id)
        if not await self._ledger.cancel_job(job_id, self._clock.now()):
            raise Conflict(f"job {job_id} is {job.state.value} already", id=job_id)
        return await self._seen(by, job_id)

    async def recover(self, by: Pass, worker: str | None) -> "list[str]":
        """Let other workers begin anew what a dead one left: what nobody holds, or all that `worker` held; gives the ids."""
        by.require(Permission.RESTART_SERVICES)
        return await self._ledger.recover_jobs(self._clock.now(), worker=worker)

    async def stats(self, by: Pass) -> JobStats:
        """The health of the queues now."""
        by.require(Permission.VIEW_METRICS)
        return await self._ledger.job_stats(self._clock.now())

    async def _seen(self, by: Pass, job_id: str) -> Job:
        job = await self._ledger.job(job_id)
        if job is None or not sees_work_on(by, job.collection):
            raise JobNotFound(f"no job has the id {job_id[:80]!r}", id=job_id[:80])
        return job


def sees_work_on(by: Pass, collection: str | None) -> bool:
    """Whether a caller sees work on this collection, or work that is about none."""
    return by.sees_all() if collection is None else by.sees(collection)
