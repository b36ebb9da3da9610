"""A job while its handler runs: what the handler reports and logs, and how it is made to end."""

import asyncio
from datetime import timedelta
from enum import StrEnum

from msgspec.structs import replace

from vectis.domain.jobs import Job, JobProgress
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.jobs import JobHandler
from vectis.domain.ports.leases import Claim, Hold, Leases

_LINE_CHARACTERS_MAX = 1000


class Ending(StrEnum):
    """Why a handler is made to end before it is through."""

    CANCELLED = "cancelled"
    HANDED_BACK = "handed back"
    LOST = "lost"


class RunningJob:
    """vectis.domain.ports.jobs.JobContext, and the task in which the handler runs."""

    def __init__(self, leases: Leases, clock: Clock, claim: Claim, lease_s: float) -> None:
        self._leases = leases
        self._clock = clock
        self._lease = timedelta(seconds=lease_s)
        self._task: asyncio.Task[None] | None = None
        self.claim = claim
        self.job: Job = claim.job
        self.ending: Ending | None = None

    async def run(self, handler: JobHandler) -> BaseException | None:
        """Run the handler to its end; what it raised. CancelledError when it was made to end, and `ending` says why."""
        self._task = asyncio.ensure_future(_begin(handler, self.job, self))
        try:
            await asyncio.wait({self._task})
        finally:
            self._task.cancel()
        return asyncio.CancelledError() if self._task.cancelled() else self._task.exception()

    def end(self, why: Ending) -> None:
        """Make the handler end at what it awaits. The first reason counts."""
        if self.ending is None and self._task is not None:
            self.ending = why
            self._task.cancel()

    def learn(self, hold: Hold | None) -> None:
        """Act on what the ledger says of the lease; None: it is lost."""
        if hold is None or hold is Hold.LOST:
            self.end(Ending.LOST)
        elif hold is Hold.CANCEL_ASKED:
            self.end(Ending.CANCELLED)

    async def report(self, progress: JobProgress) -> None:
        """See the port."""
        self.job = replace(self.job, progress=progress)
        until = self._clock.now() + self._lease
        self.learn(await self._leases.keep_job(self.job, failures=self.claim.failures, held_until=until))
        await asyncio.sleep(0)  # where the handler ends, when it shall

    async def log(self, text: str) -> None:
        """See the port."""
        await self._leases.log_job(self.job, text[:_LINE_CHARACTERS_MAX], self._clock.now())


async def _begin(handler: JobHandler, job: Job, context: RunningJob) -> None:
    await handler(job, context)
