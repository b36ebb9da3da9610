"""Schedules as callers see and change them. Firing them is the scheduler's."""

from collections.abc import Container

from msgspec.structs import replace

from vectis.domain.access import Pass, Permission
from vectis.domain.errors import Conflict, InvalidName, LimitExceeded, PermissionDenied, ScheduleNotFound
from vectis.domain.jobs import Job
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import JobLedger
from vectis.domain.ports.schedules import ScheduleStore
from vectis.domain.schedules import Schedule, SchedulePlan
from vectis.domain.schema import TENANT_MARK, check_name
from vectis.jobs.planning import SchedulableKinds, check_payload, next_after, planned_job
from vectis.jobs.service import sees_work_on

SCHEDULES_MAX = 1000


class Schedules:
    """Shown to those who see the collection that their jobs work on; those about no collection to who sees everything.

    Those that are `built_in` are there always: they are changed and switched off, not removed.
    """

    def __init__(
        self,
        *,
        store: ScheduleStore,
        ledger: JobLedger,
        clock: Clock,
        kinds: SchedulableKinds,
        built_in: Container[str],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._kinds = kinds
        self._built_in = built_in

    async def list(self, by: Pass) -> "list[Schedule]":
        """All that the caller sees, by name."""
        by.require(Permission.VIEW_METRICS)
        return [each for each in await self._store.schedules() if sees_work_on(by, each.collection)]

    async def get(self, by: Pass, name: str) -> Schedule:
        """One schedule. Raises ScheduleNotFound, for one that the caller does not see as for one that is not there."""
        by.require(Permission.VIEW_METRICS)
        return await self._seen(by, name)

    async def put(self, by: Pass, name: str, plan: SchedulePlan) -> tuple[Schedule | None, Schedule]:
        """Keep a plan under a name, in the place of what was there; gives the schedule before and now.

        Raises InvalidName, InvalidInput; LimitExceeded beyond 1000; PermissionDenied when the caller does not see what it
        is or was about; Conflict when it would make something else of one that is built in.
        """
        by.require(Permission.RESTART_SERVICES)
        _check_schedule_name(name)
        check_payload(plan, self._kinds)
        while True:
            before = await self._store.schedule(name)
            made = self._made(name, plan, before)
            for each in (made, before):
                if each is not None and not sees_work_on(by, each.collection):
                    raise PermissionDenied(
                        f"schedule {name} is about what none of your roles covers", permission=by.permission.value
                    )
            if before is None:
                if len(await self._store.schedules()) >= SCHEDULES_MAX:
                    raise LimitExceeded(f"there are {SCHEDULES_MAX} schedules, the maximum", maximum=SCHEDULES_MAX)
                if await self._store.add_schedule(made):
                    return None, made
            elif name in self._built_in and plan.kind != before.plan.kind:
                raise Conflict(f"{name} is built in and is for {before.plan.kind}: give another name", schedule=name)
            elif await self._store.move_schedule(before, made):
                return before, made

    async def remove(self, by: Pass, name: str) -> Schedule:
        """Forget a schedule, which is given; its jobs stay. Raises ScheduleNotFound; Conflict when it is built in."""
        by.require(Permission.RESTART_SERVICES)
        schedule = await self._seen(by, name)
        if name in self._built_in:
            raise Conflict(f"{name} is built in: switch it off instead", schedule=name)
        await self._store.remove_schedule(name)
        return schedule

    async def run(self, by: Pass, name: str) -> Job:
        """Record its job now, whatever its times are; when that of the last call has not ended, that. Raises ScheduleNotFound."""
        by.require(Permission.RESTART_SERVICES)
        schedule = await self._seen(by, name)
        job = planned_job(schedule, "call", self._clock.now())
        job_id = await self._ledger.record_job(job)
        return await self._ledger.job(job_id) or job

    def _made(self, name: str, plan: SchedulePlan, before: Schedule | None) -> Schedule:
        first = next_after(plan.cron, self._clock.now())
        return replace(before or Schedule(name, plan), plan=plan, next_at=first if plan.enabled else None)

    async def _seen(self, by: Pass, name: str) -> Schedule:
        _check_schedule_name(name)
        schedule = await self._store.schedule(name)
        if schedule is None or not sees_work_on(by, schedule.collection):
            raise ScheduleNotFound(f"there is no schedule {name[:80]!r}", schedule=name[:80])
        return schedule


def _check_schedule_name(name: str) -> None:
    check_name(name, what="schedule")
    if TENANT_MARK in name:
        raise InvalidName(f"schedule name {name!r} is not allowed: schedules belong to no tenant", name=name)
