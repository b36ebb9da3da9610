"""What a rollout does next, from what the world is like now: one action at a time, each harmless when repeated. Pure.

A reconciler reads the world, asks here, applies the one action and stops; whatever a crash left half done is seen in the world
at the next tick. What people do to a rollout is in vectis.rollouts.verbs.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from vectis.domain.judgements import Judgement, Verdict
from vectis.domain.rollouts import ChangeKind, HookPoint, Phase, Rollout, Stage, Step
from vectis.domain.routes import CANDIDATE, STABLE, Mirror, Route, RoutePlan, Target
from vectis.rollouts.transitions import aborted, at_stage, changed, extended, in_grace, paused, stage_of

WATCH_MIRROR_PERCENT = 100.0
"""While a promoted candidate is watched, as many queries are mirrored as the bounds of mirroring allow: its time is short."""


class CandidateState(StrEnum):
    """Where the candidate's collection stands. One that is being built is there already, and follows every write."""

    ABSENT = "absent"
    BUILDING = "building"
    READY = "ready"
    BROKEN = "broken"


class World(msgspec.Struct, frozen=True):
    """Everything that a decision depends on, read just now.

    `judgement` is of the current stage, or of the watch, since `rollout.since`; `validation` of the candidate alone, before any
    traffic. Both are None while nobody judged. `retired` says that the collection that serves no more is gone.
    """

    now: datetime
    rollout: Rollout
    route: Route | None
    candidate: CandidateState
    validation: Judgement | None = None
    judgement: Judgement | None = None
    retired: bool = False


class Build(msgspec.Struct, frozen=True, tag="build"):
    """See to it that the job that builds the candidate exists; one per rollout and attempt."""


class Validate(msgspec.Struct, frozen=True, tag="validate"):
    """See to it that the candidate is validated."""


class SetRoute(msgspec.Struct, frozen=True, tag="set_route"):
    """Write the route, unless its version is no longer the one that was read (0: there was none)."""

    plan: RoutePlan
    read_version: int


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Ask the hooks of this point and write `agreed` or `refused`, as a Move. A hook may be asked more than once."""

    point: HookPoint
    agreed: Rollout
    refused: Rollout


class Move(msgspec.Struct, frozen=True, tag="move"):
    """Write the rollout, unless its generation is no longer the one before."""

    rollout: Rollout


class Retire(msgspec.Struct, frozen=True, tag="retire"):
    """Remove a collection that serves no more, unless the rollout is no longer of this generation."""

    collection: str
    generation: int


class Wait(msgspec.Struct, frozen=True, tag="wait"):
    """Nothing to do before `until`; None: before somebody acts or something else finishes."""

    until: datetime | None = None


Action = Build | Validate | SetRoute | Ask | Move | Retire | Wait


def plan_of(rollout: Rollout, candidate: CandidateState) -> RoutePlan:
    """What the alias is to resolve to, and what is written and asked besides.

    The candidate follows every write from the moment that it is there until all is decided; after promotion the collection
    that served before does, so that going back loses nothing.

    The salt of a plan that shall stay is its switch's own, so that each switch writes: an abort that found the route as it
    should be and left it would leave its version too, and a late write that was decided before would still be taken.
    """
    switch = _switch_of(rollout)
    targets = _targets(rollout)
    if rollout.promoted:
        return RoutePlan(targets, switch, (rollout.stable,), _mirror(rollout))
    if rollout.step not in (Step.BUILD, Step.VALIDATE, Step.STAGE):
        return RoutePlan(targets, switch)
    if candidate not in (CandidateState.BUILDING, CandidateState.READY):
        return RoutePlan(targets)
    followers = tuple(each for each in (rollout.stable, rollout.candidate) if each != targets[0].collection)
    if len(targets) == 1:
        return RoutePlan(targets, "", followers, _mirror(rollout))
    return RoutePlan(targets, rollout.id, followers, _mirror(rollout), stage_of(rollout).interleave_percent)


def _switch_of(rollout: Rollout) -> str:
    return f"{rollout.id} {rollout.switches}"


def _mirror(rollout: Rollout) -> Mirror | None:
    """The collection that does not come first in the route is asked what the first one was."""
    percent = _mirror_percent(rollout)
    if percent <= 0:
        return None
    as_stable = _targets(rollout)[0].collection == rollout.candidate
    exact = rollout.spec.change is ChangeKind.INDEX_CONFIG
    return Mirror(rollout.stable if as_stable else rollout.candidate, percent, exact=exact, as_stable=as_stable)


def _mirror_percent(rollout: Rollout) -> float:
    if rollout.step is Step.STAGE:
        return stage_of(rollout).mirror_percent
    return WATCH_MIRROR_PERCENT if rollout.step is Step.WATCH and rollout.spec.watch_s > 0 else 0.0


def _targets(rollout: Rollout) -> tuple[Target, ...]:
    """How the traffic is shared out. The candidate comes last, so that growing shares only ever win users."""
    if rollout.promoted:
        return (Target(rollout.candidate, STABLE),)
    weight = stage_of(rollout).weight_percent if rollout.step is Step.STAGE else 0.0
    if weight <= 0:
        return (Target(rollout.stable, STABLE),)
    if weight >= 100:
        return (Target(rollout.candidate, CANDIDATE),)
    return (Target(rollout.stable, STABLE, 100 - weight), Target(rollout.candidate, CANDIDATE, weight))


def judged_stages(rollout: Rollout) -> int:
    """How many judgements may abort it: those of its stages, and that of the watch."""
    return sum(stage.is_judged for stage in rollout.spec.stages) + (1 if rollout.spec.promotes else 0)


def next_action(world: World) -> Action:
    """The one next step towards what the spec says. Total: every world has an answer."""
    rollout = world.rollout
    if rollout.step in _SETTLED:
        return _SETTLED[rollout.step](world)
    plan = plan_of(rollout, world.candidate)
    if world.route is None or world.route.plan != plan:
        return SetRoute(plan, read_version=0 if world.route is None else world.route.version)
    return _STEPS[rollout.step](world)


def _build(world: World) -> Action:
    rollout = world.rollout
    if rollout.phase is Phase.PAUSED or world.candidate is CandidateState.BUILDING:
        return Wait()
    if world.candidate is CandidateState.ABSENT:
        return Build()
    if world.candidate is CandidateState.BROKEN:
        return Move(aborted(rollout, "the candidate could not be built"))
    return Move(changed(rollout, step=Step.VALIDATE, reason="the candidate is built"))


def _validate(world: World) -> Action:
    rollout, validation = world.rollout, world.validation
    if rollout.phase is Phase.PAUSED:
        return Wait()
    if rollout.skip is None:
        if validation is None:
            return Validate()
        if validation.verdict is Verdict.FAILED:
            return Move(aborted(rollout, f"the candidate is not valid: {validation.reason}"))
        if validation.verdict is not Verdict.SUCCESSFUL:
            return Move(paused(rollout, f"validation is {validation.verdict}: {validation.reason}"))
    return _onward(rollout, HookPoint.START, 0, "the candidate is valid")


def _stage(world: World) -> Action:
    rollout, stage = world.rollout, stage_of(world.rollout)
    if rollout.since is None:
        return Move(_begun(world, reason=rollout.reason))
    verdict, said = _verdict(world, stage)
    named = f"stage {rollout.stage + 1}"
    if verdict is Verdict.FAILED and rollout.spec.policy.on_failed == "abort":
        return Move(aborted(rollout, f"{named} failed: {said}"))
    if rollout.phase is Phase.PAUSED:
        return Wait()
    if verdict is Verdict.FAILED:
        return Move(paused(rollout, f"{named} failed: {said}"))
    least = rollout.since + timedelta(seconds=stage.duration_s)
    if world.now < least:
        return Wait(least)
    if verdict is Verdict.SUCCESSFUL:
        if stage.manual and rollout.skip is None:
            return Move(paused(rollout, f"{named} passed and waits for promote"))
        return _onward(rollout, HookPoint.STAGE, rollout.stage + 1, f"{named} passed: {said}")
    latest = rollout.since + timedelta(seconds=max(stage.duration_s, stage.duration_max_s) + rollout.extended_s)
    if world.now < latest:
        return Wait(latest)
    return Move(_undecided(rollout, stage, verdict, f"{named} is {verdict}: {said}"))


def _verdict(world: World, stage: Stage) -> tuple[Verdict, str]:
    """What the stage is taken for, and why."""
    if world.rollout.skip is not None:
        return Verdict.SUCCESSFUL, f"skipped, {world.rollout.skip}"
    judgement = world.judgement
    if not stage.is_judged and (judgement is None or judgement.verdict is not Verdict.FAILED):
        return Verdict.SUCCESSFUL, "there is nothing to compare with"
    if judgement is None:
        return Verdict.ERROR, "nobody judged"
    return judgement.verdict, judgement.reason


def _begun(world: World, **changes: Any) -> Rollout:
    """The step or stage takes effect now that the route is as it should be."""
    version = 0 if world.route is None else world.route.version
    return changed(world.rollout, since=world.now, route_version=version, **changes)


def _undecided(rollout: Rollout, stage: Stage, verdict: Verdict, reason: str) -> Rollout:
    """The stage has had its time. Having no figures is never a reason to go on, nor to take the candidate back."""
    policy = rollout.spec.policy
    if verdict is not Verdict.ERROR and policy.on_inconclusive == "abort":
        return aborted(rollout, reason)
    may_extend = policy.on_inconclusive == "extend" and rollout.extensions < policy.extensions_max
    if verdict is not Verdict.ERROR and may_extend:
        return extended(rollout, stage.duration_s or stage.duration_max_s, reason)
    return paused(rollout, reason)


def _switch(world: World) -> Action:
    """Asked only once the route is as it shall stay."""
    rollout = world.rollout
    if rollout.promoted:
        return Move(_begun(world, step=Step.WATCH, reason="the candidate serves all traffic"))
    return Move(in_grace(rollout, world.now, rollout.reason))


def _watch(world: World) -> Action:
    rollout, judgement = world.rollout, world.judgement
    if judgement is not None and judgement.verdict is Verdict.FAILED and rollout.skip is None:
        reason = f"failed while watched: {judgement.reason}"
        if rollout.spec.policy.on_failed == "abort":
            return Move(aborted(rollout, reason))
        if rollout.phase is not Phase.DEGRADED:
            return Move(changed(rollout, phase=Phase.DEGRADED, reason=reason))
    if rollout.phase in (Phase.PAUSED, Phase.DEGRADED):
        return Wait()
    end = (rollout.since or world.now) + timedelta(seconds=rollout.spec.watch_s)
    if world.now < end:
        return Wait(end)
    return Move(in_grace(rollout, world.now, "the candidate serves all traffic"))


def _grace(world: World) -> Action:
    rollout, route = world.rollout, world.route
    if route is not None and route.plan.mirror is not None and route.plan.salt == _switch_of(rollout):
        return SetRoute(replace(route.plan, mirror=None), route.version)  # the watch is over
    if rollout.spec.grace_s is None or world.retired:
        return _done(world)
    end = (rollout.since or world.now) + timedelta(seconds=rollout.spec.grace_s)
    if world.now < end:
        return Wait(end)
    # said before it is done, so that nobody goes back to a collection that is being removed
    return Move(changed(rollout, step=Step.RETIRE, reason=rollout.reason))


def _retire(world: World) -> Action:
    rollout = world.rollout
    if world.retired:
        return _done(world)
    collection = rollout.stable if rollout.promoted else rollout.candidate
    if world.route is not None and collection in world.route.plan.followers:
        others = tuple(each for each in world.route.plan.followers if each != collection)
        return SetRoute(replace(world.route.plan, followers=others), world.route.version)
    return Retire(collection, rollout.generation)


def _done(world: World) -> Action:
    return Move(changed(world.rollout, step=Step.DONE, since=world.now, reason=world.rollout.reason))


_SETTLED: dict[Step, Callable[[World], Action]] = {
    Step.GRACE: _grace,
    Step.RETIRE: _retire,
    Step.DONE: lambda world: Wait(),
}
"""Steps in which the alias may belong to another rollout already, so its route is left alone."""

_STEPS: dict[Step, Callable[[World], Action]] = {
    Step.BUILD: _build,
    Step.VALIDATE: _validate,
    Step.STAGE: _stage,
    Step.SWITCH: _switch,
    Step.WATCH: _watch,
}


def _onward(rollout: Rollout, point: HookPoint, stage: int, reason: str) -> Action:
    """To this stage or beyond the last one, once every hook of the point has agreed."""
    target = at_stage(rollout, stage, reason)
    points = [HookPoint.PROMOTION] if target.promoted else []
    points = [point, *points] if stage < len(rollout.spec.stages) or point is HookPoint.START else points
    for each in points:
        key = f"{each} {stage}"
        if key not in rollout.asked and any(hook.at is each for hook in rollout.spec.hooks):
            agreed = changed(rollout, asked=rollout.asked | {key}, reason=f"the hooks agree: {each}")
            return Ask(each, agreed=agreed, refused=paused(rollout, f"a hook refused: {each}"))
    return Move(target)
