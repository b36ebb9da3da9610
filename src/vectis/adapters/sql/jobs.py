"""The ledger of jobs in the control store."""

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import jobs
from vectis.domain.jobs import Job, JobProgress, JobState

UNFINISHED = (JobState.PENDING.value, JobState.RUNNING.value)


class SqlJobs(StorePart):
    """vectis.domain.ports.control.JobLedger."""

    async def record_job(self, job: Job) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await self._record(connection, job)

    async def job(self, job_id: str) -> Job | None:
        """See the port."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(jobs).where(jobs.c.id == job_id))).one_or_none()
            return None if row is None else job_of(row)

    async def jobs(self, *, limit: int, kind: str | None = None, before: str | None = None) -> list[Job]:
        """See the port."""
        statement = sa.select(jobs).order_by(jobs.c.sequence.desc()).limit(limit)
        if kind is not None:
            statement = statement.where(jobs.c.kind == kind)
        if before is not None:
            place = sa.select(jobs.c.sequence).where(jobs.c.id == before).scalar_subquery()
            statement = statement.where(jobs.c.sequence < place)
        async with self._database.read() as connection:
            return [job_of(row) for row in await connection.execute(statement)]

    async def unfinished_jobs(self, *, limit: int) -> list[Job]:
        """See the port."""
        statement = sa.select(jobs).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.sequence).limit(limit)
        async with self._database.read() as connection:
            return [job_of(row) for row in await connection.execute(statement)]

    async def _record(self, connection: AsyncConnection, job: Job) -> None:
        statement = self._insert(jobs).values(
            id=job.id,
            kind=job.kind,
            payload=to_json(job.payload),
            created_at=job.created_at,
            failures=0,
            **standing(job),
        )
        await connection.execute(statement.on_conflict_do_nothing(index_elements=[jobs.c.id]))


def standing(job: Job) -> dict[str, object]:
    """The columns of a job that change while it runs."""
    return {
        "state": job.state.value,
        "progress": to_json(job.progress),
        "attempt": job.attempt,
        "error": job.error,
        "finished_at": job.finished_at,
    }


def job_of(row: sa.Row[tuple[object, ...]]) -> Job:
    """A row of the table as a job."""
    return Job(
        id=row.id,
        kind=row.kind,
        state=JobState(row.state),
        payload=msgspec.json.decode(row.payload),
        progress=msgspec.json.decode(row.progress, type=JobProgress),
        attempt=row.attempt,
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
