"""Jobs in the caller's own loop, for one-shot commands and tests: no other process needs to run."""

from typing import Protocol
from uuid import uuid4

from vectis.adapters.durable.queue import LedgerQueue
from vectis.adapters.durable.runner import LeaseRunner, Leases
from vectis.domain.jobs import Job
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import JobLedger


class LeasedLedger(JobLedger, Leases, Protocol):
    """The ledger as both sides see it."""


class InlineJobs(LeaseRunner):
    """JobQueue and JobRunner in one: what is submitted begins at once while `run` runs in a task of the same loop."""

    def __init__(self, ledger: LeasedLedger, clock: Clock, *, concurrency: int = 1, attempts_max: int = 10) -> None:
        super().__init__(ledger, f"inline-{uuid4().hex}", clock, concurrency=concurrency, attempts_max=attempts_max)
        self._queue = LedgerQueue(ledger, clock)

    async def submit(self, job: Job) -> None:
        """See the port."""
        await self._queue.submit(job)
        self.wake()

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        """See the port."""
        return await self._queue.wait(job_id, timeout_s)
