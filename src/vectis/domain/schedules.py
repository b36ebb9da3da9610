"""Schedules: which job is recorded at which times of a cron expression, in UTC. Firing them is the workers'."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from vectis.domain.shapes import Shape


class Missed(StrEnum):
    """What happens once workers are back after a time at which none was there to fire a schedule."""

    RUN_ONCE = "run_once"
    SKIP = "skip"


class SchedulePlan(Shape, frozen=True):
    """What people write of a schedule: when, what, and whether at all."""

    cron: str
    kind: str
    payload: dict[str, Any] = {}
    enabled: bool = True
    missed: Missed = Missed.RUN_ONCE


class Schedule(msgspec.Struct, frozen=True):
    """A plan under its name. `next_at` is when it fires next, None while it is not enabled; `last_at` and `last_job` tell of
    the last time that it fired by itself."""

    name: str
    plan: SchedulePlan
    next_at: datetime | None = None
    last_at: datetime | None = None
    last_job: str | None = None

    @property
    def collection(self) -> str | None:
        """The full name of the collection that its jobs work on; None when they are about none. Who may act on it sees it."""
        return self.plan.payload.get("collection")
