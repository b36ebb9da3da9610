"""Finished jobs do not stay for ever."""

from datetime import timedelta

from vectis.domain.jobs import Job, JobProgress
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import JobLedger
from vectis.domain.ports.jobs import JobContext, JobHandler
from vectis.domain.schedules import Missed, SchedulePlan

EXPIRE_JOBS = "expire_jobs"
"""The job kind that removes finished jobs after their retention. Payload: {}."""

EXPIRY_PLANS = {"expire-jobs": SchedulePlan(cron="17 3 * * *", kind=EXPIRE_JOBS, missed=Missed.RUN_ONCE)}
"""The schedule for it, which is built in."""

_AT_ONCE = 1000
"""Jobs removed in one transaction, so that no other writer waits long."""


def expiry_handler(ledger: JobLedger, clock: Clock, retention: timedelta) -> JobHandler:
    """The handler of `expire_jobs` jobs: done, dead and cancelled jobs that ended longer ago go, with their logs. Idempotent."""

    async def run(_: Job, context: JobContext) -> None:
        before, removed = clock.now() - retention, 0
        while (some := await ledger.remove_finished_jobs(before, limit=_AT_ONCE)) > 0:
            removed += some
            await context.report(JobProgress(done=removed, unit="jobs", counts={"removed": removed}))

    return run
