"""What becomes of a rollout when something happens to it: the changes that the rules and people share. Pure."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from vectis.domain.rollouts import Phase, Rollout, Stage, Step


def changed(rollout: Rollout, **changes: Any) -> Rollout:
    """One generation further; `reason` is empty unless it is among the changes."""
    return replace(rollout, **{"reason": "", **changes, "generation": rollout.generation + 1})


def paused(rollout: Rollout, reason: str) -> Rollout:
    """The traffic stays as it is until somebody acts."""
    return changed(rollout, phase=Phase.PAUSED, reason=reason)


def at_stage(rollout: Rollout, stage: int, reason: str) -> Rollout:
    """At the beginning of this stage; beyond the last one, at the switch to the candidate or to where it all began."""
    fresh: dict[str, Any] = {"since": None, "extended_s": 0.0, "extensions": 0, "skip": None, "reason": reason}
    if stage < len(rollout.spec.stages):
        return changed(rollout, phase=Phase.PROGRESSING, step=Step.STAGE, stage=stage, **fresh)
    if rollout.spec.promotes:
        return switched(rollout, reason)
    return _to_switch(rollout, phase=Phase.HEALTHY, promoted=False, reason=reason)


def switched(rollout: Rollout, reason: str) -> Rollout:
    """On its way to all traffic on the candidate, for good."""
    return _to_switch(rollout, phase=Phase.PROGRESSING, promoted=True, reason=reason)


def aborted(rollout: Rollout, reason: str) -> Rollout:
    """On its way to all traffic on the stable variant, for good."""
    return _to_switch(rollout, phase=Phase.ABORTED, promoted=False, reason=reason)


def _to_switch(rollout: Rollout, *, phase: Phase, promoted: bool, reason: str) -> Rollout:
    return changed(
        rollout,
        phase=phase,
        step=Step.SWITCH,
        switches=rollout.switches + 1,
        promoted=promoted,
        since=None,
        skip=None,
        reason=reason,
    )


def in_grace(rollout: Rollout, now: datetime, reason: str) -> Rollout:
    """Ended: the collection that serves no more is kept a while."""
    phase = rollout.phase if rollout.phase is Phase.ABORTED else Phase.HEALTHY
    return changed(rollout, phase=phase, step=Step.GRACE, since=now, reason=reason)


def extended(rollout: Rollout, by_s: float, reason: str) -> Rollout:
    """The stage may take so much longer."""
    return changed(rollout, extended_s=rollout.extended_s + by_s, extensions=rollout.extensions + 1, reason=reason)


def stage_of(rollout: Rollout) -> Stage:
    """The stage that a rollout in that step is in."""
    return rollout.spec.stages[rollout.stage]
