"""Rollouts: start, look, follow, change, explain; what every alias serves."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from vectis.domain.access import Caller
from vectis.domain.errors import InvalidInput
from vectis.domain.judgements import Judgement, MetricJudgement, RolloutDecision
from vectis.domain.rollouts import Rollout, RolloutSpec, Transition
from vectis.domain.routes import Target
from vectis.entrypoints.rest import rollout_answers as answers
from vectis.entrypoints.rest.operation import Call
from vectis.entrypoints.rest.reception import Amendment
from vectis.rollouts.estimating import Estimate
from vectis.rollouts.pictures import RolloutPicture
from vectis.rollouts.proposals import Proposal
from vectis.rollouts.service import AliasStanding
from vectis.rollouts.specs import warnings_of
from vectis.rollouts.strategies import default_spec
from vectis.rollouts.verbs import Verb
from vectis.rollouts.witness import standing_of

VERBS = frozenset(verb.value for verb in Verb)
FOLLOWED_S = 600.0
"""A stream ends after so long; who wants more comes again, and is asked again who it is."""

_SAID = ("stages", "promotes", "watch_s")
"""What the strategy says unless the caller does."""


async def start(call: Call) -> answers.RolloutBegun:
    """Begin a rollout of an alias."""
    body: answers.StartRollout = call.body
    began = await call.services.rollouts.start(call.may(body.alias), _spec(body), _proposals(call, body))
    call.change = Amendment(None, standing_of(began))
    return answers.RolloutBegun(
        **asdict(_view(call.caller, began)), warnings=warnings_of(began.spec, variants=len(began.candidates))
    )


async def estimate(call: Call) -> Estimate:
    """What building the candidates of a rollout would take; nothing is begun."""
    body: answers.StartRollout = call.body
    return await call.services.rollouts.estimate(call.may(body.alias), _spec(body), _proposals(call, body))


def _spec(body: answers.StartRollout) -> RolloutSpec:
    given: dict[str, Any] = {
        name: getattr(body, name) for name in ("validation", "metrics", "decides_by", "policy", "hooks")
    }
    given |= {name: value for name in _SAID if (value := getattr(body, name)) is not None}
    if body.grace_s is not msgspec.UNSET:
        given["grace_s"] = body.grace_s
    shares = [each.weight_percent for each in body.variants or () if each.weight_percent is not None]
    weight_percent = round(sum(shares), 2) if shares else None
    return replace(default_spec(body.alias, body.strategy, body.change, weight_percent=weight_percent), **given)


def _proposals(call: Call, body: answers.StartRollout) -> list[Proposal]:
    if body.variants is None:
        return [Proposal(None if body.candidate is None else call.may(body.candidate), body.build)]
    if body.candidate is not None or body.build is not None or not body.variants:
        raise InvalidInput("variants: name one at least, and neither candidate nor build beside them", field="variants")
    return [
        Proposal(
            None if each.collection is None else call.may(each.collection), each.build, each.name, each.weight_percent
        )
        for each in body.variants
    ]


async def list_all(call: Call) -> answers.RolloutList:
    """Rollouts, newest first."""
    by = call.may_all()
    alias = None if call.query.alias is None else call.may(call.query.alias).collection
    found = await call.services.rollouts.rollouts(by, limit=call.query.limit, alias=alias)
    return answers.RolloutList(rollouts=[_view(call.caller, rollout) for rollout in found])


async def get(call: Call) -> answers.RolloutView:
    """One rollout."""
    return _view(call.caller, await call.services.rollouts.get(call.may_all(), call.path["id"]))


async def explain(call: Call) -> answers.RolloutExplained:
    """One rollout with its history and every judgement."""
    explained = await call.services.rollouts.explain(call.may_all(), call.path["id"])
    caller = call.caller
    return answers.RolloutExplained(
        **asdict(_view(caller, explained.rollout)),
        transitions=[_own_transition(caller, each) for each in explained.transitions],
        judgements=[
            answers.JudgementView(generation=generation, variant=variant, judgement=_own(caller, judgement))
            for generation, judged in explained.judgements.items()
            for variant, judgement in judged.items()
        ],
    )


async def follow(call: Call) -> AsyncGenerator[bytes]:
    """The rollout now and at each change, as server-sent events; comments keep the connection while nothing changes."""
    by, rollout_id = call.may_all(), call.path["id"]
    await call.services.rollouts.get(by, rollout_id)
    return _events(call.caller, call.services.rollouts.follow(by, rollout_id, for_s=FOLLOWED_S))


async def _events(caller: Caller, pictures: AsyncGenerator[RolloutPicture | None]) -> AsyncGenerator[bytes]:
    async for picture in pictures:
        if picture is None:
            yield b": nothing new\n\n"
        else:
            yield b"event: RolloutEvent\ndata: " + msgspec.json.encode(_event(caller, picture)) + b"\n\n"


async def change(call: Call) -> answers.RolloutView:
    """Do something to a rollout."""
    said = call.path["verb"]
    if said not in VERBS:
        raise InvalidInput(f"verb: {said[:40]!r} is none; there are {', '.join(sorted(VERBS))}", field="verb")
    steered = await call.services.rollouts.change(
        call.may_all(),
        call.path["id"],
        Verb(said),
        reason=call.body.reason,
        by_s=call.body.by_s,
        variant=call.body.variant,
    )
    call.change = Amendment(standing_of(steered.before), standing_of(steered.after))
    return _view(call.caller, steered.after)


async def status(call: Call) -> answers.ServedAliases:
    """What every alias serves, and its newest rollout."""
    standing = await call.services.rollouts.standing(call.may_all())
    return answers.ServedAliases(aliases=[_served(call.caller, each) for each in standing])


def _served(caller: Caller, standing: AliasStanding) -> answers.ServedAlias:
    plan = standing.route.plan
    return answers.ServedAlias(
        alias=caller.own_name(standing.route.alias),
        version=standing.route.version,
        targets=_own_targets(caller, plan.targets),
        followers=[caller.own_name(name) for name in plan.followers],
        rollout=None if standing.rollout is None else _view(caller, standing.rollout),
    )


def _view(caller: Caller, rollout: Rollout) -> answers.RolloutView:
    alias = caller.own_name(rollout.spec.alias)
    return answers.RolloutView(
        id=rollout.id,
        alias=alias,
        stable=caller.own_name(rollout.stable),
        candidates=[
            replace(each, collection=caller.own_name(each.collection), out=caller.own_words(each.out))
            for each in rollout.candidates
        ],
        phase=rollout.phase,
        step=rollout.step,
        stage=rollout.stage,
        since=rollout.since,
        promoted=rollout.promoted,
        chosen=rollout.chosen,
        reason=caller.own_words(rollout.reason),
        created_at=rollout.created_at,
        generation=rollout.generation,
        attempt=rollout.attempt,
        spec=replace(rollout.spec, alias=alias),
        decision=None if rollout.decision is None else _own_decision(caller, rollout.decision),
    )


def _event(caller: Caller, picture: RolloutPicture) -> answers.RolloutEvent:
    route, mirror = picture.route, None if picture.route is None else picture.route.plan.mirror
    return answers.RolloutEvent(
        **asdict(_view(caller, picture.rollout)),
        route_version=0 if route is None else route.version,
        targets=[] if route is None else _own_targets(caller, route.targets),
        mirror_percent=0.0 if mirror is None else mirror.percent,
        figures=picture.figures,
        judgements={variant: _own(caller, judgement) for variant, judgement in picture.judgements.items()},
        transitions=[_own_transition(caller, each) for each in picture.transitions],
    )


def _own_targets(caller: Caller, targets: tuple[Target, ...]) -> list[Target]:
    return [replace(target, collection=caller.own_name(target.collection)) for target in targets]


def _own_transition(caller: Caller, transition: Transition) -> Transition:
    return replace(transition, reason=caller.own_words(transition.reason))


def _own(caller: Caller, judgement: Judgement) -> Judgement:
    metrics = tuple(_own_metric(caller, metric) for metric in judgement.metrics)
    return replace(judgement, reason=caller.own_words(judgement.reason), metrics=metrics)


def _own_decision(caller: Caller, decision: RolloutDecision) -> RolloutDecision:
    findings = tuple(replace(each, reason=caller.own_words(each.reason)) for each in decision.findings)
    return replace(decision, findings=findings)


def _own_metric(caller: Caller, metric: MetricJudgement) -> MetricJudgement:
    return replace(metric, reason=caller.own_words(metric.reason))
