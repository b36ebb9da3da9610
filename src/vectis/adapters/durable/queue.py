"""Handing jobs over and waiting for them, as API processes do. The ledger is all that both sides share."""

import asyncio

from vectis.domain.errors import DeadlineExceeded, JobNotFound
from vectis.domain.jobs import UNFINISHED, Job
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import JobLedger

_LOOK_FIRST_S = 0.01
_LOOK_MAX_S = 0.25


class LedgerQueue:
    """vectis.domain.ports.jobs.JobQueue; a runner finds what is recorded within a fraction of a second."""

    def __init__(self, ledger: JobLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def submit(self, job: Job) -> str:
        """See the port. Records the job, which is all that a runner needs."""
        return await self._ledger.record_job(job)

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        """See the port. Looks in pauses that grow to a quarter of a second."""
        deadline = self._clock.monotonic() + timeout_s
        pause_s = _LOOK_FIRST_S
        while True:
            job = await self._ledger.job(job_id)
            if job is None:
                raise JobNotFound(f"there is no job {job_id!r}", job=job_id)
            if job.state not in UNFINISHED:
                return job
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0:
                raise DeadlineExceeded(
                    f"job {job_id!r} is {job.state.value} after {timeout_s:g} s; it goes on: ask for it again",
                    job=job_id,
                )
            # the job ends in another process, and SQLite cannot call
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(_LOOK_MAX_S, pause_s * 1.5)
