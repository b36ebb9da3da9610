"""Who runs which job: leases on the ledger, taken and kept by workers. Running is theirs."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from vectis.adapters.sql.jobs import UNFINISHED, job_of, standing
from vectis.adapters.sql.part import StorePart
from vectis.adapters.sql.tables import jobs
from vectis.domain.jobs import Job, JobState


class SqlLeases(StorePart):
    """vectis.adapters.durable.runner.Leases. The attempt's number tells a holder from an earlier one."""

    async def claim_job(
        self, worker: str, kinds: Collection[str], *, now: datetime, until: datetime
    ) -> tuple[Job, int] | None:
        """Take the oldest job that nobody holds, as running and one attempt further; with it, how often it failed."""
        free = sa.and_(
            jobs.c.state.in_(UNFINISHED),
            jobs.c.kind.in_(kinds),
            sa.or_(jobs.c.held_until.is_(None), jobs.c.held_until <= now),
        )
        oldest = sa.select(jobs.c.sequence).where(free).order_by(jobs.c.sequence).limit(1)
        # looking first spares the writers a lock for each look of an idle worker
        async with self._database.read() as connection:
            if await connection.scalar(oldest) is None:
                return None
        statement = (
            sa.update(jobs)
            .where(jobs.c.sequence == oldest.with_for_update(skip_locked=True).scalar_subquery())
            .values(state=JobState.RUNNING.value, attempt=jobs.c.attempt + 1, worker=worker, held_until=until)
            .returning(jobs)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None else (job_of(row), row.failures)

    async def keep_job(self, job: Job, *, failures: int, held_until: datetime | None) -> bool:
        """Write what the holder of this attempt knows; False, and nothing written, when another has taken the job over."""
        statement = (
            sa.update(jobs)
            .where(jobs.c.id == job.id, jobs.c.attempt == job.attempt, jobs.c.state.in_(UNFINISHED))
            .values(failures=failures, held_until=held_until, **standing(job))
        )
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def renew_leases(self, attempts: Mapping[str, int], *, until: datetime) -> set[str]:
        """Hold jobs (id -> attempt) for longer; gives those that are still held."""
        statement = (
            sa.update(jobs)
            .where(
                sa.tuple_(jobs.c.id, jobs.c.attempt).in_(list(attempts.items())),
                jobs.c.state == JobState.RUNNING.value,
            )
            .values(held_until=until)
            .returning(jobs.c.id)
        )
        async with self._database.write() as connection:
            return set((await connection.execute(statement)).scalars())

    async def release_jobs(self, worker: str) -> None:
        """Let go of all that `worker` held when it died."""
        statement = (
            sa.update(jobs)
            .where(jobs.c.worker == worker, jobs.c.state == JobState.RUNNING.value)
            .values(held_until=None)
        )
        async with self._database.write() as connection:
            await connection.execute(statement)
