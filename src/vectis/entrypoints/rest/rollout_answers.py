"""What callers send and get about rollouts: one struct per body or answer. Field names are part of the contract."""

from datetime import datetime
from typing import Annotated

import msgspec

from vectis.domain.judgements import Judgement, Metric
from vectis.domain.rollouts import (
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


class StartRollout(Shape, frozen=True):
    """A rollout of an alias: to the collection `candidate`, or to one that is made as `build` says. What is left out is as the
    strategy has it."""

    alias: str
    change: ChangeKind
    strategy: Strategy = Strategy.BLUE_GREEN
    candidate: str | None = None
    build: CandidateBuild | None = None
    validation: Validation = Validation()
    stages: tuple[Stage, ...] | None = None
    promotes: bool | None = None
    metrics: tuple[Metric, ...] | None = None
    policy: RolloutPolicy = RolloutPolicy()
    hooks: tuple[Hook, ...] = ()
    watch_s: float | None = None
    grace_s: float | msgspec.UnsetType | None = msgspec.UNSET


class ChangeRollout(Shape, frozen=True):
    """Why, which promote, promote_full and skip need; and for extend, by how many seconds."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    by_s: float | None = None


class RolloutsQuery(Shape, frozen=True):
    """Rollouts, newest first, optionally of one alias."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    alias: str | None = None


class RolloutView(msgspec.Struct):
    """A rollout and where it stands. `stage` counts from 0 and matters in the step of that name."""

    id: str
    alias: str
    stable: str
    candidate: str
    phase: Phase
    step: Step
    stage: int
    since: datetime | None
    promoted: bool
    reason: str
    created_at: datetime
    generation: int
    attempt: int
    spec: RolloutSpec


class RolloutBegun(RolloutView):
    """A rollout that just began, and what will keep it from going on by itself."""

    warnings: tuple[str, ...]


class RolloutList(msgspec.Struct):
    """Rollouts, newest first."""

    rollouts: list[RolloutView]


class JudgementView(msgspec.Struct):
    """What was judged last while the rollout was of this generation."""

    generation: int
    judgement: Judgement


class RolloutEvent(RolloutView):
    """A rollout at one moment: how the alias is answered now and, under that version of its route, what each variant answered;
    what was judged last of this stage; and the last transitions, oldest first. Of an ended rollout there is no route."""

    route_version: int
    targets: list[Target]
    mirror_percent: float
    figures: dict[str, VariantFigures]
    judgement: Judgement | None
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
