"""What stays as it is while a rollout is at work on a collection or alias, because the rollout compares or moves it."""

from collections.abc import Awaitable, Callable

from vectis.domain.errors import Conflict
from vectis.domain.rollouts import Rollout

RolloutAtWork = Callable[[str], Awaitable[Rollout | None]]
"""Gives the rollout that is under way with an alias or collection; None when none is."""


async def nobody_at_work(_name: str) -> Rollout | None:
    """A RolloutAtWork where there are no rollouts."""
    return None


async def refuse_during_rollout(at_work_on: RolloutAtWork, name: str, what: str) -> None:
    """Return when no rollout is at work on `name`; else Conflict that says what stays, because of which one, and what to do."""
    rollout = await at_work_on(name)
    if rollout is None:
        return
    end = "undo" if rollout.promoted else "abort"
    raise Conflict(
        f"{what}: rollout {rollout.id!r} of alias {rollout.spec.alias!r} is at work ({rollout.phase} at {rollout.step}); "
        f"wait until it is over (`vectis rollout watch {rollout.id}`) or end it (`vectis rollout {end} {rollout.id}`)",
        name=name,
        rollout=rollout.id,
    )
