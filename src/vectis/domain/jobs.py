"""Background work as everybody sees it: kinds, states, progress, who works. Running it is the job queue's."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

DEFAULT_QUEUE = "default"
MAINTENANCE_QUEUE = "maintenance"
"""Where work waits that the server gives itself: building, removing, expiring."""


class JobState(StrEnum):
    """Where a job stands. `dead`: it gave up, and waits for somebody to look; `cancelled`: somebody did not want it."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


UNFINISHED = (JobState.PENDING, JobState.RUNNING)
RETRIABLE = (JobState.DEAD, JobState.CANCELLED)


class JobProgress(msgspec.Struct, frozen=True):
    """How far a job is: `done` of `total` in `unit`, and counters of what it did (embedded, removed, write_ms, ...)."""

    done: int = 0
    total: int = 0
    unit: str = ""
    counts: dict[str, int] = {}


class Job(msgspec.Struct, frozen=True):
    """One piece of background work. `attempt` counts from 1 once it ran; `error` is set when it is dead.

    Of pending jobs of one queue the one with the highest `priority` runs first, then the oldest. `key`: at most one unfinished
    job has it. `due_at`: a pending job does not run before. `worker` and `started_at` are of the last attempt.
    """

    id: str
    kind: str
    state: JobState
    payload: dict[str, Any]
    progress: JobProgress = JobProgress()
    attempt: int = 0
    error: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    key: str | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    worker: str | None = None
    cancel_asked: bool = False

    @property
    def collection(self) -> str | None:
        """The full name of the collection that the job works on; None when it is about none. Who may read it sees the job."""
        return self.payload.get("collection")


class JobLine(msgspec.Struct, frozen=True):
    """One line of a job's log."""

    at: datetime
    attempt: int
    text: str


class JobFilter(msgspec.Struct, frozen=True):
    """Which jobs are meant; None means any."""

    kind: str | None = None
    state: JobState | None = None
    queue: str | None = None


ANY_JOB = JobFilter()


class WorkerReport(msgspec.Struct, frozen=True):
    """What a worker process said of itself at `seen_at`. `queues` empty: all."""

    name: str
    host: str
    pid: int
    started_at: datetime
    seen_at: datetime
    running: int
    jobs_max: int
    memory_bytes: int
    queues: tuple[str, ...] = ()


class KindTimes(msgspec.Struct, frozen=True):
    """How long the last jobs of a kind ran, from the start of the last attempt to its end."""

    kind: str
    jobs: int
    run_s_p50: float
    run_s_p95: float
    run_s_max: float


class JobStats(msgspec.Struct, frozen=True):
    """The health of the queues at a time. `states` counts all jobs by queue and state.

    `waiting_since` is of the oldest job that could run.
    """

    at: datetime
    states: dict[str, dict[JobState, int]]
    waiting_since: datetime | None
    kinds: list[KindTimes]
    workers: list[WorkerReport]

    def count(self, state: JobState) -> int:
        """Jobs in this state, over all queues."""
        return sum(states.get(state, 0) for states in self.states.values())
