"""The health of the queues, counted in the control store."""

from collections import defaultdict
from datetime import datetime
from math import ceil

import msgspec
import sqlalchemy as sa

from vectis.adapters.sql.part import StorePart
from vectis.adapters.sql.tables import jobs, workers
from vectis.domain.jobs import JobState, JobStats, KindTimes, WorkerReport

_TIMED_MAX = 2000
"""Durations are of so many jobs, the last to be recorded."""


class SqlJobStats(StorePart):
    """The part of vectis.domain.ports.control.JobLedger that counts."""

    async def job_stats(self, now: datetime) -> JobStats:
        """See the port. Durations are of the last two thousand jobs that are done."""
        counted = sa.select(jobs.c.queue, jobs.c.state, sa.func.count().label("count"))
        since = sa.func.coalesce(jobs.c.held_until, jobs.c.created_at)
        could_run = sa.and_(jobs.c.state == JobState.PENDING, sa.or_(jobs.c.held_until.is_(None), since <= now))
        timed = (
            sa.select(jobs.c.kind, jobs.c.started_at, jobs.c.finished_at)
            .where(jobs.c.state == JobState.DONE, jobs.c.started_at.is_not(None))
            .order_by(jobs.c.sequence.desc())
            .limit(_TIMED_MAX)
        )
        states: dict[str, dict[JobState, int]] = defaultdict(dict)
        seconds: dict[str, list[float]] = defaultdict(list)
        async with self._database.read() as connection:
            for row in await connection.execute(counted.group_by(jobs.c.queue, jobs.c.state)):
                states[row.queue][JobState(row.state)] = row[2]
            waiting = await connection.scalar(
                sa.select(sa.func.min(since, type_=jobs.c.created_at.type)).where(could_run)
            )
            for row in await connection.execute(timed):
                seconds[row.kind].append((row.finished_at - row.started_at).total_seconds())
            reports = (await connection.execute(sa.select(workers.c.report).order_by(workers.c.name))).scalars()
            alive = [msgspec.json.decode(report, type=WorkerReport) for report in reports]
        return JobStats(now, dict(states), waiting, [_times(kind, seconds[kind]) for kind in sorted(seconds)], alive)


def _times(kind: str, seconds: list[float]) -> KindTimes:
    """Quantiles as measured values: the one that at least p of all are not above."""
    ordered = sorted(seconds)
    median, high = (ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.95))
    return KindTimes(kind, len(ordered), round(median, 3), round(high, 3), round(ordered[-1], 3))
