"""Firing schedules, in every worker: whichever comes first records the job."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from msgspec.structs import replace

from vectis.domain.errors import DiskFull, Unavailable
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.schedules import ScheduleStore
from vectis.domain.schedules import Missed, Schedule, SchedulePlan
from vectis.jobs.planning import next_after, planned_job

_LOOK_S = 1.0
_LATE = timedelta(minutes=1)
"""What is due for longer was missed: no worker was there."""


class Scheduler:
    """Keeps the built-in schedules there and fires all when they are due."""

    def __init__(self, store: ScheduleStore, clock: Clock, built_in: Mapping[str, SchedulePlan]) -> None:
        self._store = store
        self._clock = clock
        self._built_in = built_in

    async def begin(self) -> None:
        """Add built-in schedules that are not there; those that are stay as people made them."""
        for name, plan in self._built_in.items():
            await self._store.add_schedule(Schedule(name, plan, next_after(plan.cron, self._clock.now())))

    async def run(self) -> None:
        """Fire what is due until cancelled. A store that is away or full is asked again."""
        while True:
            with suppress(Unavailable, DiskFull):  # what is due stays due
                await self.fire_due()
            await asyncio.sleep(_LOOK_S)  # only the clock makes a schedule due

    async def fire_due(self) -> list[str]:
        """Fire every schedule that is due, each once; the ids of the jobs that this recorded."""
        now = self._clock.now()
        recorded: list[str] = []
        for schedule in await self._store.due_schedules(now):
            following = replace(schedule, next_at=next_after(schedule.plan.cron, now))
            due = schedule.next_at
            assert due is not None, "what is due has a time"
            if schedule.plan.missed is Missed.SKIP and now - due > _LATE:
                await self._store.move_schedule(schedule, following)
                continue
            job = planned_job(schedule, f"{due:%Y-%m-%dT%H:%MZ}", now)
            if await self._store.move_schedule(schedule, replace(following, last_at=due, last_job=job.id), job):
                recorded.append(job.id)
        return recorded
