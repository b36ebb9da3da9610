"""What the audit keeps of rollouts that move on by themselves: before it is done that it will be, then what it changed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from msgspec.structs import replace

from vectis.domain.access import tenant_of
from vectis.domain.audit import Act, Decision
from vectis.domain.errors import VectisError
from vectis.domain.ports.clock import Clock
from vectis.domain.rollouts import Rollout
from vectis.domain.routes import RoutePlan

RECONCILER = "reconciler"
"""Who acts where nobody asked for it."""

SURFACE = "worker"


class ActKeeper(Protocol):
    """The audit. As long as access control is off it keeps nothing, for nobody is known then."""

    async def check(self) -> None:
        """Return when this process may keep acts. Unavailable when it would seal them with another key than the others do."""
        ...

    async def keep(self, act: Act) -> None:
        """Durable on return. StoreUnavailable, DiskFull."""
        ...


class Witness:
    """Keeps what the reconciler does to rollouts, routes and collections."""

    def __init__(self, audit: ActKeeper, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock

    async def check(self) -> None:
        """Return when acts can be kept. Raises Unavailable."""
        await self._audit.check()

    @asynccontextmanager
    async def doing(
        self,
        action: str,
        resource: str,
        rollout: Rollout,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> AsyncGenerator[None]:
        """Keep that something is about to be done because of a rollout, and when it is over that it was done, or why it was not.

        Raises StoreUnavailable or DiskFull before anything is done.
        """
        act = Act(
            at=self._clock.now(),
            actor=RECONCILER,
            action=action,
            decision=Decision.ALLOWED,
            resource=resource,
            reason=f"rollout {rollout.id}",
            tenant=tenant_of(rollout.spec.alias),
            surface=SURFACE,
        )
        await self._audit.keep(act)
        try:
            yield
        except VectisError as error:
            reason = f"{act.reason}: {error.code}: {error.message}"[:500]
            await self._audit.keep(replace(act, at=self._clock.now(), decision=Decision.FAILED, reason=reason))
            raise
        done = replace(act, at=self._clock.now(), decision=Decision.DONE, before=before, after=after)
        await self._audit.keep(done)


def standing_of(rollout: Rollout) -> dict[str, Any]:
    """Where a rollout stands, for the audit."""
    names = ("generation", "attempt", "phase", "step", "stage", "promoted", "chosen", "skip", "reason")
    out = {each.variant: each.out for each in rollout.candidates if each.out}
    return {name: getattr(rollout, name) for name in names} | {"out": out}


def shares_of(plan: RoutePlan) -> dict[str, Any]:
    """What an alias leads to, for the audit."""
    targets: dict[str, float] = {}
    for target in plan.targets:
        targets[target.collection] = round(targets.get(target.collection, 0.0) + target.weight_percent, 2)
    return {
        "targets": targets,
        "followers": list(plan.followers),
        "mirror": None if plan.mirror is None else plan.mirror.collections,
        "interleave_percent": plan.interleave_percent,
    }
