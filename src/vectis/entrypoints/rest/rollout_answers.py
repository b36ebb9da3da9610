"""What callers send and get about rollouts: one struct per body or answer. Field names are part of the contract."""

from datetime import datetime
from typing import Annotated

import msgspec

from vectis.domain.judgements import Judgement, Metric, MetricName, RolloutDecision
from vectis.domain.rollouts import (
    Candidate,
    CandidateBuild,
    ChangeKind,
    Hook,
    Phase,
    RolloutPolicy,
    RolloutSpec,
    Stage,
    Step,
    Strategy,
    Transition,
    Validation,
)
from vectis.domain.routes import Target
from vectis.domain.shapes import Shape
from vectis.domain.traffic import VariantFigures


class VariantOfExperiment(Shape, frozen=True):
    """A collection that is there, or how to build one; its share, and its name: the next letter when there is none."""

    name: str = ""
    weight_percent: float | None = None
    collection: str | None = None
    build: CandidateBuild | None = None


class StartRollout(Shape, frozen=True):
    """A rollout of an alias: to the collection `candidate`, or to one that is made as `build` says; an experiment may have
    several `variants` instead. What is left out is as the strategy has it."""

    alias: str
    change: ChangeKind
    strategy: Strategy = Strategy.BLUE_GREEN
    candidate: str | None = None
    build: CandidateBuild | None = None
    variants: tuple[VariantOfExperiment, ...] | None = None
    validation: Validation = Validation()
    stages: tuple[Stage, ...] | None = None
    promotes: bool | None = None
    metrics: tuple[Metric, ...] | None = None
    decides_by: MetricName | None = None
    policy: RolloutPolicy = RolloutPolicy()
    hooks: tuple[Hook, ...] = ()
    watch_s: float | None = None
    grace_s: float | msgspec.UnsetType | None = msgspec.UNSET


class ChangeRollout(Shape, frozen=True):
    """Why, which promote, promote_full and skip need; for extend, by how many seconds; for promote_full and
    abort, which variant."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    by_s: float | None = None
    variant: str = ""


class RolloutsQuery(Shape, frozen=True):
    """Rollouts, newest first, optionally of one alias."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    alias: str | None = None


class RolloutView(msgspec.Struct):
    """A rollout and where it stands. `stage` counts from 0 and matters in the step of that name. `chosen` is the variant that is
    promoted, `decision` what a rollout that promotes nothing by itself has found."""

    id: str
    alias: str
    stable: str
    candidates: list[Candidate]
    phase: Phase
    step: Step
    stage: int
    since: datetime | None
    promoted: bool
    chosen: str
    reason: str
    created_at: datetime
    generation: int
    attempt: int
    spec: RolloutSpec
    decision: RolloutDecision | None


class RolloutBegun(RolloutView):
    """A rollout that just began, and what will keep it from going on by itself."""

    warnings: tuple[str, ...]


class RolloutList(msgspec.Struct):
    """Rollouts, newest first."""

    rollouts: list[RolloutView]


class JudgementView(msgspec.Struct):
    """What was judged last of a variant while the rollout was of this generation."""

    generation: int
    variant: str
    judgement: Judgement


class RolloutEvent(RolloutView):
    """A rollout at one moment: how the alias is answered now and, under that version of its route, what each variant answered;
    what was judged last of each in this stage; and the last transitions, oldest first. Of an ended rollout there is no route."""

    route_version: int
    targets: list[Target]
    mirror_percent: float
    figures: dict[str, VariantFigures]
    judgements: dict[str, Judgement]
    transitions: list[Transition]


class RolloutExplained(RolloutView):
    """A rollout, every change that it went through, oldest first, and every judgement."""

    transitions: list[Transition]
    judgements: list[JudgementView]


class ServedAlias(msgspec.Struct):
    """What an alias resolves to now, which collections follow its writes, and its newest rollout."""

    alias: str
    version: int
    targets: list[Target]
    followers: list[str]
    rollout: RolloutView | None


class ServedAliases(msgspec.Struct):
    """Every alias that the caller sees, by name."""

    aliases: list[ServedAlias]
