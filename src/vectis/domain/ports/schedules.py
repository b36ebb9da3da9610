"""Schedules as kept in the control store. Every method is one transaction, durable on return."""

from datetime import datetime
from typing import Protocol

from vectis.domain.jobs import Job
from vectis.domain.schedules import Schedule


class ScheduleStore(Protocol):
    """Every method may raise StoreUnavailable, or DiskFull when it writes."""

    async def schedule(self, name: str) -> Schedule | None:
        """None on absence."""
        ...

    async def schedules(self) -> list[Schedule]:
        """All, by name."""
        ...

    async def due_schedules(self, now: datetime) -> list[Schedule]:
        """Those whose `next_at` has come, the longest due first."""
        ...

    async def add_schedule(self, schedule: Schedule) -> bool:
        """Keep a schedule; False, and nothing is changed, when there is one of its name."""
        ...

    async def move_schedule(self, read: Schedule, changed: Schedule, job: Job | None = None) -> bool:
        """Put `changed` in the place of `read` and record `job` with it; False, and nothing happens, when it is not as read.

        So of all who see that a schedule is due one fires it.
        """
        ...

    async def remove_schedule(self, name: str) -> bool:
        """False on absence. Jobs that it recorded stay."""
        ...
