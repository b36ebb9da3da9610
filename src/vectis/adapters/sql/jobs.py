"""The ledger of jobs in the control store: recording, reading, and what people do to jobs. Running them is leases.py's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import job_lines, jobs
from vectis.domain import jobs as nouns
from vectis.domain.errors import Conflict
from vectis.domain.jobs import ANY_JOB, RETRIABLE, Job, JobFilter, JobLine, JobProgress, JobState

UNFINISHED = tuple(state.value for state in nouns.UNFINISHED)


class SqlJobs(StorePart):
    """vectis.domain.ports.control.JobLedger."""

    async def record_job(self, job: Job) -> str:
        """See the port."""
        async with self._database.write() as connection:
            return await self._record(connection, job)

    async def job(self, job_id: str) -> Job | None:
        """See the port."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(jobs).where(jobs.c.id == job_id))).one_or_none()
            return None if row is None else job_of(row)

    async def jobs(self, *, limit: int, only: JobFilter = ANY_JOB, before: str | None = None) -> list[Job]:
        """See the port."""
        statement = sa.select(jobs).order_by(jobs.c.sequence.desc()).limit(limit)
        for column in msgspec.structs.fields(only):
            wanted = getattr(only, column.name)
            if wanted is not None:
                statement = statement.where(jobs.c[column.name] == wanted)
        if before is not None:
            older = sa.select(jobs.c.sequence).where(jobs.c.id == before).scalar_subquery()
            statement = statement.where(jobs.c.sequence < older)
        async with self._database.read() as connection:
            return [job_of(row) for row in await connection.execute(statement)]

    async def unfinished_jobs(self, *, limit: int) -> list[Job]:
        """See the port."""
        statement = sa.select(jobs).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.sequence).limit(limit)
        async with self._database.read() as connection:
            return [job_of(row) for row in await connection.execute(statement)]

    async def job_log(self, job_id: str) -> list[JobLine]:
        """See the port."""
        statement = sa.select(job_lines).where(job_lines.c.job == job_id).order_by(job_lines.c.number)
        async with self._database.read() as connection:
            return [JobLine(row.at, row.attempt, row.text) for row in await connection.execute(statement)]

    async def cancel_job(self, job_id: str, now: datetime) -> bool:
        """See the port."""
        one = sa.update(jobs).where(jobs.c.id == job_id)
        pending = one.where(jobs.c.state == JobState.PENDING).values(
            state=JobState.CANCELLED.value, finished_at=now, held_until=None
        )
        running = one.where(jobs.c.state == JobState.RUNNING).values(cancel_asked=True)
        async with self._database.write() as connection:
            ended = (await connection.execute(pending)).rowcount
            return ended > 0 or (await connection.execute(running)).rowcount > 0

    async def retry_job(self, job_id: str) -> bool:
        """See the port."""
        statement = (
            sa.update(jobs)
            .where(jobs.c.id == job_id, jobs.c.state.in_(RETRIABLE))
            .values(
                state=JobState.PENDING.value,
                error=None,
                finished_at=None,
                held_until=None,
                cancel_asked=False,
                failures=0,
                attempts_before=jobs.c.attempt,
            )
        )
        async with self._database.write() as connection:
            try:
                return (await connection.execute(statement)).rowcount > 0
            except IntegrityError:
                raise Conflict(
                    f"another job with the key of {job_id!r} waits or runs; wait for it or cancel it", job=job_id
                ) from None

    async def recover_jobs(self, now: datetime, *, worker: str | None = None) -> list[str]:
        """See the port."""
        lost = sa.or_(jobs.c.held_until.is_(None), jobs.c.held_until <= now)
        if worker is not None:
            lost = jobs.c.worker == worker
        statement = (
            sa.update(jobs)
            .where(jobs.c.state == JobState.RUNNING.value, lost)
            .values(state=JobState.PENDING.value, held_until=None)
            .returning(jobs.c.id)
        )
        async with self._database.write() as connection:
            return sorted((await connection.execute(statement)).scalars())

    async def remove_finished_jobs(self, before: datetime, *, limit: int) -> int:
        """See the port."""
        old = sa.select(jobs.c.sequence).where(jobs.c.state.not_in(UNFINISHED), jobs.c.finished_at < before)
        statement = sa.delete(jobs).where(jobs.c.sequence.in_(old.order_by(jobs.c.sequence).limit(limit)))
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount

    async def _record(self, connection: AsyncConnection, job: Job) -> str:
        statement = self._insert(jobs).values(
            id=job.id,
            kind=job.kind,
            payload=to_json(job.payload),
            created_at=job.created_at,
            queue=job.queue,
            priority=job.priority,
            key=job.key,
            held_until=job.due_at,
            failures=0,
            **standing(job),
        )
        same = sa.select(jobs.c.id).where(
            sa.or_(jobs.c.id == job.id, sa.and_(jobs.c.key == job.key, jobs.c.state.in_(UNFINISHED)))
        )
        while True:
            if (await connection.execute(statement.on_conflict_do_nothing())).rowcount > 0:
                return job.id
            # what was in the way may have ended meanwhile: then there is room for this one
            there: Sequence[str] = (await connection.execute(same)).scalars().all()
            if there:
                return job.id if job.id in there else there[0]


def standing(job: Job) -> dict[str, Any]:
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
    state = JobState(row.state)
    return Job(
        id=row.id,
        kind=row.kind,
        state=state,
        payload=msgspec.json.decode(row.payload),
        progress=msgspec.json.decode(row.progress, type=JobProgress),
        attempt=row.attempt,
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
        queue=row.queue,
        priority=row.priority,
        key=row.key,
        due_at=row.held_until if state is JobState.PENDING else None,
        started_at=row.started_at,
        worker=row.worker,
        cancel_asked=row.cancel_asked,
    )
