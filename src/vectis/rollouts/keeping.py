"""Which collections rollouts need and which they are at work on, so that nobody deletes or changes them meanwhile."""

from collections.abc import Awaitable, Callable

from vectis.domain.ports.rollouts import RolloutStore
from vectis.domain.rollouts import SETTLED, Rollout, Step


def needed_by_rollouts(store: RolloutStore) -> Callable[[str], Awaitable[str | None]]:
    """Asks why rollouts need a collection; None when none does."""

    async def needed_by(name: str) -> str | None:
        newest: dict[str, Rollout] = {each.spec.alias: each for each in await store.unfinished_rollouts()}
        for rollout in newest.values():
            if name in _needed(rollout):
                return f"rollout {rollout.id!r} of alias {rollout.spec.alias!r} needs it; abort it or wait until it is over"
        return None

    return needed_by


def rollout_at_work(store: RolloutStore) -> Callable[[str], Awaitable[Rollout | None]]:
    """Gives the rollout that is under way with an alias or collection: as its alias, stable collection or a candidate."""

    async def at_work_on(name: str) -> Rollout | None:
        for rollout in await store.unfinished_rollouts():
            if rollout.step not in SETTLED and name in (rollout.spec.alias, *rollout.collections):
                return rollout
        return None

    return at_work_on


def _needed(rollout: Rollout) -> tuple[str, ...]:
    """What a rollout cannot do without: one that builds makes candidates anew, one that retires leaves what serves no more."""
    if rollout.step is Step.RETIRE:
        return (rollout.serving,)
    if rollout.step is Step.BUILD:
        return (rollout.stable, *(each.collection for each in rollout.candidates if each.build is None))
    return rollout.collections
