"""What becomes of a rollout when something happens to it: the changes that the rules and people share. Pure."""

from collections.abc import Mapping
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
        return switched(rollout, rollout.running[0].variant, reason)
    return _to_switch(rollout, phase=Phase.HEALTHY, chosen="", reason=reason)


def switched(rollout: Rollout, variant: str, reason: str) -> Rollout:
    """On its way to all traffic on this variant, for good."""
    return _to_switch(rollout, phase=Phase.PROGRESSING, chosen=variant, reason=reason)


def aborted(rollout: Rollout, reason: str) -> Rollout:
    """On its way to all traffic on the stable variant, for good."""
    return _to_switch(rollout, phase=Phase.ABORTED, chosen="", reason=reason)


def taken_out(rollout: Rollout, why: Mapping[str, str]) -> Rollout:
    """Without these variants, each for its reason: the others go on, and when none is left it is aborted."""
    candidates = tuple(replace(each, out=why.get(each.variant, each.out)) for each in rollout.candidates)
    fewer = replace(rollout, candidates=candidates)
    reason = told(rollout, why)
    return changed(fewer, reason=f"taken out: {reason}") if fewer.running else aborted(fewer, reason)


def told(rollout: Rollout, said: Mapping[str, str]) -> str:
    """What is said of variants in one line; which is meant is clear where there is one candidate."""
    if len(rollout.candidates) == 1:
        return "; ".join(said.values())
    return "; ".join(f"{variant}: {words}" for variant, words in said.items())


def _to_switch(rollout: Rollout, *, phase: Phase, chosen: str, reason: str) -> Rollout:
    return changed(
        rollout,
        phase=phase,
        step=Step.SWITCH,
        switches=rollout.switches + 1,
        chosen=chosen,
        since=None,
        skip=None,
        reason=reason,
    )


def in_grace(rollout: Rollout, now: datetime, reason: str, **found: Any) -> Rollout:
    """Ended: what serves no more is kept a while."""
    phase = rollout.phase if rollout.phase is Phase.ABORTED else Phase.HEALTHY
    return changed(rollout, phase=phase, step=Step.GRACE, since=now, reason=reason, **found)


def extended(rollout: Rollout, by_s: float, reason: str) -> Rollout:
    """The stage may take so much longer."""
    return changed(rollout, extended_s=rollout.extended_s + by_s, extensions=rollout.extensions + 1, reason=reason)


def stage_of(rollout: Rollout) -> Stage:
    """The stage that a rollout in that step is in."""
    return rollout.spec.stages[rollout.stage]


def candidate_shares(rollout: Rollout) -> dict[str, float]:
    """What each candidate gets of the traffic in this stage, in percent, also one that was taken out: it keeps its place. Nothing
    outside of stages."""
    if rollout.step is not Step.STAGE:
        return {}
    stage = stage_of(rollout)
    return {
        each.variant: stage.weight_percent if each.weight_percent is None else each.weight_percent
        for each in rollout.candidates
    }
