"""The ledger of jobs as workers see it: exclusive rights until a time, told apart by the number of the attempt."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from vectis.domain.jobs import Job, WorkerReport


class Wanted(msgspec.Struct, frozen=True):
    """What a worker takes: jobs of `kinds`, of these `queues` (empty: all), while fewer than `limits[queue]` of a queue run."""

    kinds: tuple[str, ...]
    queues: tuple[str, ...] = ()
    limits: dict[str, int] = {}


class Claim(msgspec.Struct, frozen=True):
    """A job that was taken, how often it failed, and how often it was begun, since it was recorded or retried by hand."""

    job: Job
    failures: int
    begun: int


class Hold(StrEnum):
    """What a worker learns of a job that it holds."""

    KEPT = "kept"
    CANCEL_ASKED = "cancel_asked"
    LOST = "lost"


class Leases(Protocol):
    """Taking, keeping and letting go of jobs, over all workers of a control store."""

    async def claim_job(self, worker: str, wanted: Wanted, *, now: datetime, until: datetime) -> Claim | None:
        """Take the job that is first and that nobody holds, as running and one attempt further. One job to one worker."""
        ...

    async def keep_job(self, job: Job, *, failures: int, held_until: datetime | None) -> Hold:
        """Write what the holder of this attempt knows; nothing is written when it is lost to another."""
        ...

    async def renew_leases(self, attempts: Mapping[str, int], *, until: datetime) -> dict[str, Hold]:
        """Hold jobs (id -> attempt) for longer; those that are lost are left out."""
        ...

    async def release_jobs(self, worker: str) -> None:
        """Let go of all that `worker` held when it died."""
        ...

    async def log_job(self, job: Job, text: str, now: datetime) -> None:
        """Add a line to the job's log; the newest few hundred stay."""
        ...

    async def worker(self, name: str) -> WorkerReport | None:
        """What the worker of this name said of itself last; None when it ended in order, or long ago."""
        ...

    async def report_worker(self, report: WorkerReport, *, after: WorkerReport | None, gone_before: datetime) -> bool:
        """Say that a worker is there, if what was said last under its name is `after` or nothing; else False.

        Forgets those that were not seen since `gone_before`.
        """
        ...

    async def forget_worker(self, last: WorkerReport) -> None:
        """A worker ended in order; nothing is forgotten of another that has taken its place."""
        ...
