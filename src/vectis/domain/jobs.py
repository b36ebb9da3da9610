"""Background work as everybody sees it: kinds, states, progress. Running it is the job queue's."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class JobState(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class JobProgress(msgspec.Struct, frozen=True):
    """How far a job is: `done` of `total` in `unit`, and counters of what it did (embedded, removed, write_ms, ...)."""

    done: int = 0
    total: int = 0
    unit: str = ""
    counts: dict[str, int] = {}


class Job(msgspec.Struct, frozen=True):
    """One piece of background work. `attempt` counts from 1 once it ran; `error` is set when it is dead."""

    id: str
    kind: str
    state: JobState
    payload: dict[str, Any]
    progress: JobProgress = JobProgress()
    attempt: int = 0
    error: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def collection(self) -> str | None:
        """The full name of the collection that the job works on; None when it is about none. Who may read it sees the job."""
        return self.payload.get("collection")
