"""What callers get of background jobs: one struct per answer. Field names are part of the contract."""

from datetime import datetime
from typing import Any

import msgspec

from vectis.domain.jobs import JobLine, JobProgress, JobState, KindTimes
from vectis.domain.schedules import Missed


class JobView(msgspec.Struct):
    """A job and how far it is."""

    id: str
    kind: str
    state: JobState
    progress: JobProgress
    attempt: int
    error: str | None
    created_at: datetime | None
    finished_at: datetime | None
    queue: str
    priority: int
    key: str | None
    due_at: datetime | None
    started_at: datetime | None
    worker: str | None
    cancel_asked: bool


class JobDetail(JobView):
    """A job with its log, oldest line first."""

    log: list[JobLine]


class JobsChanged(msgspec.Struct):
    """The ids of the jobs that this request changed."""

    jobs: list[str]


class WorkerView(msgspec.Struct):
    """A worker process as it was seen last; `queues` empty: it takes from all."""

    name: str
    host: str
    pid: int
    started_at: datetime
    seen_age_s: float
    running: int
    jobs_max: int
    memory_bytes: int
    queues: list[str]


class JobHealth(msgspec.Struct):
    """The health of the queues: jobs by state, over all and by queue; how long the oldest that could run waits already."""

    pending: int
    running: int
    dead: int
    done: int
    cancelled: int
    oldest_pending_age_s: float | None
    queues: dict[str, dict[JobState, int]]
    kinds: list[KindTimes]
    workers: list[WorkerView]


class JobList(msgspec.Struct):
    """Jobs, newest first."""

    jobs: list[JobView]


class ScheduleView(msgspec.Struct):
    """A schedule: which job it records, at which times (UTC) of a cron expression; when next, and what it did last."""

    name: str
    cron: str
    kind: str
    payload: dict[str, Any]
    enabled: bool
    missed: Missed
    next_at: datetime | None
    last_at: datetime | None
    last_job: str | None


class ScheduleList(msgspec.Struct):
    """Schedules, by name."""

    schedules: list[ScheduleView]
