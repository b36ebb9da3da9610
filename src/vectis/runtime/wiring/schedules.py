"""What schedules may record and which are built in; the scheduler of a worker process."""

import asyncio
from contextlib import AsyncExitStack

from vectis.adapters.sql.store import SqlStore
from vectis.adapters.system.clock import SystemClock
from vectis.catalog.service import OPTIMIZE
from vectis.jobs.expiry import EXPIRE_JOBS, EXPIRY_PLANS
from vectis.jobs.planning import OfCollection, OfNothing, SchedulableKinds
from vectis.jobs.scheduler import Scheduler
from vectis.jobs.schedules import Schedules

SCHEDULABLE: SchedulableKinds = {OPTIMIZE: OfCollection, EXPIRE_JOBS: OfNothing}
"""A job kind that people shall be able to schedule is added here, with what its payload must be."""


def make_schedules(store: SqlStore, clock: SystemClock) -> Schedules:
    """Schedules for the surfaces."""
    return Schedules(store=store, ledger=store, clock=clock, kinds=SCHEDULABLE, built_in=EXPIRY_PLANS)


async def fire_schedules(stack: AsyncExitStack, store: SqlStore, clock: SystemClock) -> None:
    """Fire schedules in this process until the stack is closed; a bug there ends the process, which is started again."""
    scheduler = Scheduler(store, clock, EXPIRY_PLANS)
    await scheduler.begin()
    group = await stack.enter_async_context(asyncio.TaskGroup())
    stack.callback(group.create_task(scheduler.run()).cancel)
