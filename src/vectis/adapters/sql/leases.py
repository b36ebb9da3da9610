"""Who runs which job: leases on the ledger, taken and kept by workers. Running is theirs."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
import sqlalchemy as sa

from vectis.adapters.sql.jobs import UNFINISHED, job_of, standing
from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import job_lines, jobs, workers
from vectis.domain.jobs import Job, JobState, WorkerReport
from vectis.domain.ports.leases import Claim, Hold, Wanted

LINES_MAX = 200
"""Lines kept of one job's log."""

_CLAIM_LOCK = 0x7EC7_0003
"""The advisory lock under which PostgreSQL serves one claim at a time, so that queues with a limit keep to it."""


class SqlLeases(StorePart):
    """vectis.domain.ports.leases.Leases. The attempt's number tells a holder from an earlier one."""

    async def claim_job(self, worker: str, wanted: Wanted, *, now: datetime, until: datetime) -> Claim | None:
        """See the port."""
        free = sa.and_(
            jobs.c.state.in_(UNFINISHED),
            jobs.c.kind.in_(wanted.kinds),
            sa.or_(jobs.c.held_until.is_(None), jobs.c.held_until <= now),
            *(sa.or_(jobs.c.queue != queue, _held(queue, now) < most) for queue, most in wanted.limits.items()),
        )
        if wanted.queues:
            free = sa.and_(free, jobs.c.queue.in_(wanted.queues))
        first = sa.select(jobs.c.sequence).where(free).order_by(jobs.c.priority.desc(), jobs.c.sequence).limit(1)
        # looking first spares the writers a lock for each look of an idle worker
        async with self._database.read() as connection:
            if await connection.scalar(first) is None:
                return None
        statement = (
            sa.update(jobs)
            .where(jobs.c.sequence == first.with_for_update(skip_locked=True).scalar_subquery())
            .values(
                state=JobState.RUNNING.value,
                attempt=jobs.c.attempt + 1,
                worker=worker,
                held_until=until,
                started_at=now,
            )
            .returning(jobs)
        )
        async with self._database.write() as connection:
            if wanted.limits and not self._database.sqlite:
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None else Claim(job_of(row), row.failures, row.attempt - row.attempts_before)

    async def keep_job(self, job: Job, *, failures: int, held_until: datetime | None) -> Hold:
        """See the port."""
        statement = (
            sa.update(jobs)
            .where(jobs.c.id == job.id, jobs.c.attempt == job.attempt, jobs.c.state.in_(UNFINISHED))
            .values(failures=failures, held_until=held_until, **standing(job))
            .returning(jobs.c.cancel_asked)
        )
        async with self._database.write() as connection:
            asked = await connection.scalar(statement)
        if asked is None:
            return Hold.LOST
        return Hold.CANCEL_ASKED if asked else Hold.KEPT

    async def renew_leases(self, attempts: Mapping[str, int], *, until: datetime) -> dict[str, Hold]:
        """See the port."""
        statement = (
            sa.update(jobs)
            .where(
                sa.tuple_(jobs.c.id, jobs.c.attempt).in_(list(attempts.items())),
                jobs.c.state == JobState.RUNNING.value,
            )
            .values(held_until=until)
            .returning(jobs.c.id, jobs.c.cancel_asked)
        )
        async with self._database.write() as connection:
            rows = await connection.execute(statement)
            return {row.id: Hold.CANCEL_ASKED if row.cancel_asked else Hold.KEPT for row in rows}

    async def release_jobs(self, worker: str) -> None:
        """See the port."""
        statement = (
            sa.update(jobs)
            .where(jobs.c.worker == worker, jobs.c.state == JobState.RUNNING.value)
            .values(held_until=None)
        )
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def log_job(self, job: Job, text: str, now: datetime) -> None:
        """See the port."""
        mine = sa.select(job_lines.c.number).where(job_lines.c.job == job.id).order_by(job_lines.c.number.desc())
        oldest_kept = mine.offset(LINES_MAX - 1).limit(1).scalar_subquery()
        async with self._database.write() as connection:
            await connection.execute(sa.insert(job_lines).values(job=job.id, at=now, attempt=job.attempt, text=text))
            await connection.execute(
                sa.delete(job_lines).where(job_lines.c.job == job.id, job_lines.c.number < oldest_kept)
            )

    async def worker(self, name: str) -> WorkerReport | None:
        """See the port."""
        async with self._database.read() as connection:
            report = await connection.scalar(sa.select(workers.c.report).where(workers.c.name == name))
        return None if report is None else msgspec.json.decode(report, type=WorkerReport)

    async def report_worker(self, report: WorkerReport, *, after: WorkerReport | None, gone_before: datetime) -> bool:
        """See the port."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(workers).where(workers.c.seen_at < gone_before))
            statement = self._insert(workers).values(name=report.name, seen_at=report.seen_at, report=to_json(report))
            statement = statement.on_conflict_do_update(
                index_elements=[workers.c.name],
                set_={"seen_at": statement.excluded.seen_at, "report": statement.excluded.report},
                where=sa.false() if after is None else workers.c.seen_at == after.seen_at,
            ).returning(workers.c.name)
            return await connection.scalar(statement) is not None

    async def forget_worker(self, last: WorkerReport) -> None:
        """See the port."""
        mine = sa.and_(workers.c.name == last.name, workers.c.seen_at == last.seen_at)
        async with self._database.write() as connection:
            await connection.execute(sa.delete(workers).where(mine))


def _held(queue: str, now: datetime) -> sa.ScalarSelect[int]:
    """How many jobs of a queue run now."""
    held = jobs.alias("held")
    running = sa.and_(held.c.state == JobState.RUNNING.value, held.c.held_until > now, held.c.queue == queue)
    return sa.select(sa.func.count()).select_from(held).where(running).scalar_subquery()
