"""Durable background work. Handlers must be idempotent: a job may run again after a crash."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from vectis.domain.jobs import Job, JobProgress


class JobContext(Protocol):
    """What a handler gets besides the payload."""

    async def report(self, progress: JobProgress) -> None:
        """Make progress visible. Cheap enough for every batch of documents. The handler of a cancelled job ends here."""
        ...

    async def log(self, text: str) -> None:
        """Add a line to the job's log, which keeps the newest few hundred. Nothing secret, no texts of users."""
        ...


JobHandler = Callable[[Job, JobContext], Awaitable[None]]
JobHandlers = Mapping[str, JobHandler]


class JobQueue(Protocol):
    """Submits jobs. Running them is a worker's: see JobRunner."""

    async def submit(self, job: Job) -> str:
        """Record a job and hand it to the queue; gives the id of the job that will do it.

        Idempotent by id. When an unfinished job has the same key, nothing is recorded and that one's id comes back.
        """
        ...

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        """The job once it has ended. JobNotFound; DeadlineExceeded after `timeout_s` (the job goes on)."""
        ...


class JobRunner(Protocol):
    """Runs jobs by the handler of their kind until stopped."""

    async def announce(self) -> None:
        """Let the ledger know that this worker is there. Conflict when a live worker has its name.

        While the ledger is away or full, `run` does it as soon as it can.
        """
        ...

    async def run(self, handlers: JobHandlers) -> None:
        """Take jobs, run them, retry with backoff, mark dead after the last attempt; returns after `stop`.

        Conflict, with nothing running any more, when another worker of its name has taken its place.
        """
        ...

    async def stop(self) -> None:
        """Take nothing new; finish what runs, and hand back, for others to begin anew, what does not end in time."""
        ...
