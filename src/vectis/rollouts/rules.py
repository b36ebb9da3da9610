"""What a rollout does next, from what the world is like now: one action at a time, each harmless when repeated. Pure.

A reconciler reads the world, asks here, applies the one action and stops; whatever a crash left half done is seen in the world
at the next tick. What people do to a rollout is in vectis.rollouts.verbs.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from vectis.domain.judgements import Judgement, Verdict
from vectis.domain.rollouts import ChangeKind, HookPoint, Phase, Rollout, Stage, Step
from vectis.domain.routes import STABLE, Mirror, Route, RoutePlan, Target
from vectis.rollouts.judging.deciding import decide
from vectis.rollouts.transitions import (
    aborted,
    at_stage,
    candidate_shares,
    changed,
    extended,
    in_grace,
    paused,
    stage_of,
    taken_out,
    told,
)

WATCH_MIRROR_PERCENT = 100.0
"""While a promoted candidate is watched, as many queries are mirrored as the bounds of mirroring allow: its time is short."""


class CandidateState(StrEnum):
    """Where a candidate's collection stands. One that is being built is there already, and follows every write."""

    ABSENT = "absent"
    BUILDING = "building"
    READY = "ready"
    BROKEN = "broken"


class World(msgspec.Struct, frozen=True):
    """Everything that a decision depends on, read just now; by variant where there is one for each that takes part.

    `judgements` are of the current stage, or of the watch, since `rollout.since`, and in the switch what was judged last in the
    stage before; `validations` of the candidates alone, before any traffic. Both are empty while nobody judged. `spare` are the
    collections that serve no more, are still there, and belong to no later rollout.
    """

    now: datetime
    rollout: Rollout
    route: Route | None
    candidates: Mapping[str, CandidateState]
    validations: Mapping[str, Judgement] = {}
    judgements: Mapping[str, Judgement] = {}
    spare: tuple[str, ...] = ()


class Build(msgspec.Struct, frozen=True, tag="build"):
    """See to it that the job that builds a candidate exists; one per rollout, attempt and variant."""

    variant: str


class Validate(msgspec.Struct, frozen=True, tag="validate"):
    """See to it that the candidates are validated."""


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


def plan_of(rollout: Rollout, candidates: Mapping[str, CandidateState]) -> RoutePlan:
    """What the alias is to resolve to, and what is written and asked besides.

    A candidate follows every write from the moment that it is there until all is decided, and as long as what was found good may
    still be promoted; after promotion the collection that served before does, so that going back loses nothing.

    The salt of a plan that shall stay is its switch's own, so that each switch writes: an abort that found the route as it
    should be and left it would leave its version too, and a late write that was decided before would still be taken.
    """
    switch, targets = _switch_of(rollout), _targets(rollout)
    if rollout.promoted:
        return RoutePlan(targets, switch, (rollout.stable,), _mirror(rollout))
    following = (CandidateState.BUILDING, CandidateState.READY)
    there = tuple(each.collection for each in rollout.running if candidates[each.variant] in following)
    if rollout.step not in (Step.BUILD, Step.VALIDATE, Step.STAGE):
        return RoutePlan(targets, switch, there if rollout.phase is Phase.HEALTHY else ())
    if not there:
        return RoutePlan(targets)
    followers = tuple(each for each in (rollout.stable, *there) if each != targets[0].collection)
    if len(targets) == 1:
        return RoutePlan(targets, "", followers, _mirror(rollout))
    return RoutePlan(targets, rollout.id, followers, _mirror(rollout), stage_of(rollout).interleave_percent)


def _switch_of(rollout: Rollout) -> str:
    return f"{rollout.id} {rollout.switches}"


def _mirror(rollout: Rollout) -> Mirror | None:
    """What does not come first in the route is asked what the first one was."""
    percent = _mirror_percent(rollout)
    if percent <= 0:
        return None
    as_stable = _targets(rollout)[0].collection != rollout.stable
    asked = {each.variant: rollout.stable if as_stable else each.collection for each in rollout.running}
    return Mirror(asked, percent, exact=rollout.spec.change is ChangeKind.INDEX_CONFIG, as_stable=as_stable)


def _mirror_percent(rollout: Rollout) -> float:
    if rollout.step is Step.STAGE:
        return stage_of(rollout).mirror_percent
    return WATCH_MIRROR_PERCENT if rollout.step is Step.WATCH and rollout.spec.watch_s > 0 else 0.0


def _targets(rollout: Rollout) -> tuple[Target, ...]:
    """How the traffic is shared out. Candidates come last, so that growing shares only ever win users.

    The stable collection answers in the place of a variant that was taken out, under a name of its own: so no user of another
    variant moves, and what the others are held against keeps its share.
    """
    shares = candidate_shares(rollout)
    left = round(100 - sum(shares.values()), 2)
    if left >= 100:
        return (Target(rollout.serving, STABLE),)
    stable = (Target(rollout.stable, STABLE, left),) if left > 0 else ()
    return (
        *stable,
        *(
            Target(rollout.stable, f"{each.variant}_out", shares[each.variant])
            if each.out
            else Target(each.collection, each.variant, shares[each.variant])
            for each in rollout.candidates
        ),
    )


def judged_stages(rollout: Rollout) -> int:
    """How many judgements may abort it: those of its stages, and that of the watch."""
    return sum(stage.is_judged for stage in rollout.spec.stages) + (1 if rollout.spec.promotes else 0)


def next_action(world: World) -> Action:
    """The one next step towards what the spec says. Total: every world has an answer."""
    rollout = world.rollout
    if rollout.step in _SETTLED:
        return _SETTLED[rollout.step](world)
    plan = plan_of(rollout, world.candidates)
    if world.route is None or world.route.plan != plan:
        return SetRoute(plan, read_version=0 if world.route is None else world.route.version)
    return _STEPS[rollout.step](world)


def _build(world: World) -> Action:
    rollout = world.rollout
    if rollout.phase is Phase.PAUSED:
        return Wait()
    stand = {
        state: [each.variant for each in rollout.running if world.candidates[each.variant] is state]
        for state in CandidateState
    }
    if absent := stand[CandidateState.ABSENT]:
        return Build(absent[0])
    if broken := stand[CandidateState.BROKEN]:
        return Move(taken_out(rollout, dict.fromkeys(broken, "the candidate could not be built")))
    if stand[CandidateState.BUILDING]:
        return Wait()
    return Move(changed(rollout, step=Step.VALIDATE, reason=f"{_they_are(rollout)} built"))


def _they_are(rollout: Rollout) -> str:
    return "the candidate is" if len(rollout.candidates) == 1 else "the variants are"


def _served_by(rollout: Rollout) -> str:
    chosen = "the candidate" if len(rollout.candidates) == 1 else f"variant {rollout.chosen}"
    return f"{chosen} serves all traffic"


def _validate(world: World) -> Action:
    rollout, found = world.rollout, world.validations
    if rollout.phase is Phase.PAUSED:
        return Wait()
    if rollout.skip is None:
        if not found:
            return Validate()
        failed = {variant: each.reason for variant, each in found.items() if each.verdict is Verdict.FAILED}
        if failed:
            return Move(
                taken_out(rollout, {name: f"the candidate is not valid: {why}" for name, why in failed.items()})
            )
        unsure = {variant: each for variant, each in found.items() if each.verdict is not Verdict.SUCCESSFUL}
        if unsure:
            said = {variant: f"validation is {each.verdict}: {each.reason}" for variant, each in unsure.items()}
            return Move(paused(rollout, told(rollout, said)))
    return _onward(rollout, HookPoint.START, 0, f"{_they_are(rollout)} valid")


def _stage(world: World) -> Action:
    rollout, stage = world.rollout, stage_of(world.rollout)
    if rollout.since is None:
        return Move(_begun(world, reason=rollout.reason))
    named = f"stage {rollout.stage + 1}"
    found = _verdicts(world, stage)
    failed = {variant: f"{named} failed: {said}" for variant, said in found[Verdict.FAILED].items()}
    if failed and rollout.spec.policy.on_failed == "abort":
        return Move(taken_out(rollout, failed))
    if rollout.phase is Phase.PAUSED:
        return Wait()
    if failed:
        return Move(paused(rollout, told(rollout, failed)))
    least = rollout.since + timedelta(seconds=stage.duration_s)
    if world.now < least:
        return Wait(least)
    passed = found[Verdict.SUCCESSFUL]
    if len(passed) == len(rollout.running):
        if stage.manual and rollout.skip is None:
            return Move(paused(rollout, f"{named} passed and waits for promote"))
        return _onward(rollout, HookPoint.STAGE, rollout.stage + 1, f"{named} passed: {told(rollout, passed)}")
    latest = rollout.since + timedelta(seconds=max(stage.duration_s, stage.duration_max_s) + rollout.extended_s)
    if world.now < latest:
        return Wait(latest)
    return Move(_undecided(rollout, stage, found))


def _verdicts(world: World, stage: Stage) -> dict[Verdict, dict[str, str]]:
    """By verdict, the variants that the stage is taken for so, each with why."""
    found: dict[Verdict, dict[str, str]] = {verdict: {} for verdict in Verdict}
    for each in world.rollout.running:
        verdict, said = _verdict(world.rollout, world.judgements.get(each.variant), stage)
        found[verdict][each.variant] = said
    return found


def _verdict(rollout: Rollout, judgement: Judgement | None, stage: Stage) -> tuple[Verdict, str]:
    if rollout.skip is not None:
        return Verdict.SUCCESSFUL, f"skipped, {rollout.skip}"
    if not stage.is_judged and (judgement is None or judgement.verdict is not Verdict.FAILED):
        return Verdict.SUCCESSFUL, "there is nothing to compare with"
    if judgement is None:
        return Verdict.ERROR, "nobody judged"
    return judgement.verdict, judgement.reason


def _begun(world: World, **changes: Any) -> Rollout:
    """The step or stage takes effect now that the route is as it should be."""
    version = 0 if world.route is None else world.route.version
    return changed(world.rollout, since=world.now, route_version=version, **changes)


def _undecided(rollout: Rollout, stage: Stage, found: Mapping[Verdict, Mapping[str, str]]) -> Rollout:
    """The stage has had its time. Having no figures is never a reason to go on, nor to take a candidate back."""
    policy, named = rollout.spec.policy, f"stage {rollout.stage + 1}"
    blind, unsure = found[Verdict.ERROR], found[Verdict.INCONCLUSIVE]
    if blind:
        return paused(rollout, f"{named} is error: {told(rollout, blind)}")
    if policy.on_inconclusive == "abort":
        return taken_out(rollout, {variant: f"{named} is inconclusive: {said}" for variant, said in unsure.items()})
    reason = f"{named} is inconclusive: {told(rollout, unsure)}"
    if policy.on_inconclusive == "extend" and rollout.extensions < policy.extensions_max:
        return extended(rollout, stage.duration_s or stage.duration_max_s, reason)
    return paused(rollout, reason)


def _switch(world: World) -> Action:
    """Asked only once the route is as it shall stay."""
    rollout = world.rollout
    if rollout.promoted:
        return Move(_begun(world, step=Step.WATCH, reason=_served_by(rollout)))
    if rollout.phase is not Phase.HEALTHY:
        return Move(in_grace(rollout, world.now, rollout.reason))
    decision = decide(rollout.candidates, world.judgements, by=rollout.spec.decides_by)
    return Move(in_grace(rollout, world.now, rollout.reason, decision=decision))


def _watch(world: World) -> Action:
    rollout, judgement = world.rollout, world.judgements.get(world.rollout.chosen)
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
    return Move(in_grace(rollout, world.now, _served_by(rollout)))


def _grace(world: World) -> Action:
    rollout, route = world.rollout, world.route
    if route is not None and route.plan.mirror is not None and route.plan.salt == _switch_of(rollout):
        return SetRoute(replace(route.plan, mirror=None), route.version)  # the watch is over
    if rollout.spec.grace_s is None or not world.spare:
        return _done(world)
    end = (rollout.since or world.now) + timedelta(seconds=rollout.spec.grace_s)
    if world.now < end:
        return Wait(end)
    # said before it is done, so that nobody goes back to a collection that is being removed
    return Move(changed(rollout, step=Step.RETIRE, reason=rollout.reason))


def _retire(world: World) -> Action:
    rollout = world.rollout
    if not world.spare:
        return _done(world)
    collection = world.spare[0]
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
