"""Durable background work. Handlers must be idempotent: a job may run again after a crash."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from vectis.domain.jobs import Job, JobProgress


class JobContext(Protocol):
    """What a handler gets besides the payload."""

    async def report(self, progress: JobProgress) -> None:
        """Make progress visible. Cheap enough for every batch of documents."""
        ...


JobHandler = Callable[[Job, JobContext], Awaitable[None]]
JobHandlers = Mapping[str, JobHandler]


class JobQueue(Protocol):
    """Submits recorded jobs. Running them is a worker's: see JobRunner."""

    async def submit(self, job: Job) -> None:
        """Hand a recorded job to the queue. Idempotent by id; safe to lose, because runners also sweep the ledger."""
        ...

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        """The job once it is done or dead. JobNotFound; DeadlineExceeded after `timeout_s` (the job goes on)."""
        ...


class JobRunner(Protocol):
    """Runs jobs by the handler of their kind until stopped."""

    async def run(self, handlers: JobHandlers) -> None:
        """Take jobs, run them, retry with backoff, mark dead after the last attempt; returns after `stop`."""
        ...

    async def stop(self) -> None:
        """Finish what runs, take nothing new."""
        ...
