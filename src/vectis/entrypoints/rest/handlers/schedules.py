"""Schedules: looking, setting, removing, running one now."""

import msgspec

from vectis.domain.schedules import Schedule
from vectis.entrypoints.rest import answers, job_answers
from vectis.entrypoints.rest.handlers.jobs import job_view
from vectis.entrypoints.rest.operation import Call
from vectis.entrypoints.rest.reception import Amendment


async def list_all(call: Call) -> job_answers.ScheduleList:
    """All schedules, by name."""
    found = await call.services.schedules.list(call.may_all())
    return job_answers.ScheduleList(schedules=[_view(each) for each in found])


async def get(call: Call) -> job_answers.ScheduleView:
    """One schedule."""
    return _view(await call.services.schedules.get(call.may_all(), call.path["name"]))


async def put(call: Call) -> job_answers.ScheduleView:
    """Make a schedule, or put another plan in the place of its own."""
    before, after = await call.services.schedules.put(call.may_all(), call.path["name"], call.body)
    call.change = Amendment(
        None if before is None else msgspec.to_builtins(before.plan), msgspec.to_builtins(after.plan)
    )
    return _view(after)


async def remove(call: Call) -> answers.Deleted:
    """Forget a schedule; the jobs that it recorded stay."""
    removed = await call.services.schedules.remove(call.may_all(), call.path["name"])
    call.change = Amendment(msgspec.to_builtins(removed.plan), None)
    return answers.Deleted()


async def run(call: Call) -> job_answers.JobView:
    """Record a schedule's job now."""
    return job_view(call, await call.services.schedules.run(call.may_all(), call.path["name"]))


def _view(schedule: Schedule) -> job_answers.ScheduleView:
    plan = schedule.plan
    return job_answers.ScheduleView(
        name=schedule.name,
        cron=plan.cron,
        kind=plan.kind,
        payload=plan.payload,
        enabled=plan.enabled,
        missed=plan.missed,
        next_at=schedule.next_at,
        last_at=schedule.last_at,
        last_job=schedule.last_job,
    )
