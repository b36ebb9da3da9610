"""Schedules in the control store."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from vectis.adapters.sql.jobs import SqlJobs
from vectis.adapters.sql.part import to_json
from vectis.adapters.sql.tables import schedules
from vectis.domain.jobs import Job
from vectis.domain.ports.schedules import ScheduleStore
from vectis.domain.schedules import Schedule


class SqlSchedules(SqlJobs, ScheduleStore):
    """vectis.domain.ports.schedules.ScheduleStore; firing one records its job in the same transaction."""

    async def schedule(self, name: str) -> Schedule | None:
        """See the port."""
        statement = sa.select(schedules.c.schedule).where(schedules.c.name == name)
        async with self._database.read() as connection:
            text = await connection.scalar(statement)
            return None if text is None else _schedule(text)

    async def schedules(self) -> list[Schedule]:
        """See the port."""
        statement = sa.select(schedules.c.schedule).order_by(schedules.c.name)
        async with self._database.read() as connection:
            return [_schedule(text) for text in await connection.scalars(statement)]

    async def due_schedules(self, now: datetime) -> list[Schedule]:
        """See the port."""
        statement = sa.select(schedules.c.schedule).where(schedules.c.next_at <= now).order_by(schedules.c.next_at)
        async with self._database.read() as connection:
            return [_schedule(text) for text in await connection.scalars(statement)]

    async def add_schedule(self, schedule: Schedule) -> bool:
        """See the port."""
        values = {"name": schedule.name, "next_at": schedule.next_at, "schedule": to_json(schedule)}
        statement = self._insert(schedules).values(values).on_conflict_do_nothing()
        async with self._database.write() as connection:
            return await connection.scalar(statement.returning(schedules.c.name)) is not None

    async def move_schedule(self, read: Schedule, changed: Schedule, job: Job | None = None) -> bool:
        """See the port."""
        statement = (
            sa.update(schedules)
            .where(schedules.c.name == read.name, schedules.c.schedule == to_json(read))
            .values(next_at=changed.next_at, schedule=to_json(changed))
        )
        async with self._database.write() as connection:
            if (await connection.execute(statement)).rowcount == 0:
                return False
            if job is not None:
                await self._record(connection, job)
            return True

    async def remove_schedule(self, name: str) -> bool:
        """See the port."""
        async with self._database.write() as connection:
            return (await connection.execute(sa.delete(schedules).where(schedules.c.name == name))).rowcount > 0


def _schedule(text: str) -> Schedule:
    return msgspec.json.decode(text, type=Schedule)
