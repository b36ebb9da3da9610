"""What a plan may say: times as cron has them, kinds of jobs that take their payload from outside. Pure."""

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

import msgspec
from cronsim import CronSim, CronSimError

from vectis.domain.errors import InvalidInput
from vectis.domain.jobs import MAINTENANCE_QUEUE, Job, JobState
from vectis.domain.schedules import Schedule, SchedulePlan
from vectis.domain.schema import check_name
from vectis.domain.shapes import Shape

CRON_CHARACTERS_MAX = 200

SchedulableKinds = Mapping[str, type[Shape]]
"""Kinds of jobs that schedules may record, each with what its payload must be."""


class OfCollection(Shape, frozen=True):
    """The payload of a job that works on one collection."""

    collection: str

    def __post_init__(self) -> None:
        check_name(self.collection)


class OfNothing(Shape, frozen=True):
    """The payload of a job that needs to be told nothing."""


def next_after(cron: str, at: datetime) -> datetime:
    """The first time after `at` that five fields (minute, hour, day, month, weekday) name, in UTC. Raises InvalidInput."""
    if len(cron) > CRON_CHARACTERS_MAX or len(cron.split()) != 5:
        raise InvalidInput(
            f"cron: give five fields in {CRON_CHARACTERS_MAX} characters at most: minute, hour, day, month, weekday; "
            "0 4 * * 1 is Mondays at 4",
            field="cron",
        )
    try:
        return next(CronSim(cron, at))
    except CronSimError as error:
        raise InvalidInput(f"cron: {cron[:80]!r} is no cron expression: {error}", field="cron") from None
    except StopIteration:
        raise InvalidInput(f"cron: {cron[:80]!r} never comes", field="cron") from None


def check_payload(plan: SchedulePlan, kinds: SchedulableKinds) -> None:
    """Raise InvalidInput unless schedules may record the kind of job, and its payload is as that kind needs it."""
    if plan.kind not in kinds:
        raise InvalidInput(
            f"kind: {plan.kind[:80]!r} cannot be scheduled; there is {', '.join(sorted(kinds))}", field="kind"
        )
    try:
        msgspec.convert(plan.payload, kinds[plan.kind])
    except msgspec.ValidationError as error:
        raise InvalidInput(f"payload of {plan.kind}: {error}", field="payload") from None


def planned_job(schedule: Schedule, fired: str, now: datetime) -> Job:
    """The job that a schedule records. `fired` is the time that it was for: at most one unfinished job is for a time."""
    return Job(
        id=uuid4().hex,
        kind=schedule.plan.kind,
        state=JobState.PENDING,
        payload=schedule.plan.payload,
        created_at=now,
        queue=MAINTENANCE_QUEUE,
        key=f"{schedule.name}@{fired}",
    )
