"""What a rollout is: its spec, its stages, where it stands, and how it got there. What happens next is vectis.rollouts.rules."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from vectis.domain.judgements import Metric, MetricName, RolloutDecision
from vectis.domain.profiles import Chunking, EmbeddingWishes, SearchSettings
from vectis.domain.schema import HnswParams, OptimizerParams, PayloadIndexKind, ScalarQuantization
from vectis.domain.shapes import Shape

DAY_S = 86_400.0


class Strategy(StrEnum):
    """Specs of one machine: all traffic at once; growing shares; no traffic but mirrored queries; a fixed split."""

    BLUE_GREEN = "blue_green"
    CANARY = "canary"
    SHADOW = "shadow"
    EXPERIMENT = "experiment"


class ChangeKind(StrEnum):
    """What is different in the candidate: its vectors, the index's settings, the documents, or how it is searched."""

    REEMBED = "reembed"
    INDEX_CONFIG = "index_config"
    REFRESH = "data_refresh"
    SEARCH_CONFIG = "search_config"


class Stage(Shape, frozen=True):
    """One numbered part of a rollout.

    The candidate answers `weight_percent` of the traffic, and `mirror_percent` of the queries are asked of both. The stage
    lasts `duration_s` at least; when it is not sure by `duration_max_s`, the policy for inconclusive takes over. It bears at
    most `excess_errors` more errors than the stable variant has, as a share of the answers. A `manual` one waits for promote.
    `interleave_percent` of the routing keys get answers to questions in words that are mixed of both.
    """

    weight_percent: float
    duration_s: float
    excess_errors: float = 0.01
    mirror_percent: float = 0.0
    duration_max_s: float = DAY_S
    manual: bool = False
    interleave_percent: float = 0.0

    @property
    def is_judged(self) -> bool:
        """Whether both variants can be compared in it."""
        return 0 < self.weight_percent < 100 or self.mirror_percent > 0


class RolloutPolicy(Shape, frozen=True):
    """What is done by itself. A stage is extended at most `extensions_max` times, by its own least duration, then it pauses."""

    on_failed: Literal["abort", "pause"] = "abort"
    on_inconclusive: Literal["pause", "extend", "abort"] = "pause"
    extensions_max: int = 3


class HookPoint(StrEnum):
    """When outsiders are asked whether to go on."""

    START = "start"
    STAGE = "stage"
    PROMOTION = "promotion"


class Hook(Shape, frozen=True):
    """An outsider who must agree at a point, asked by a signed POST to `url`."""

    url: str
    at: HookPoint = HookPoint.PROMOTION
    timeout_s: float = 10.0


class CandidateBuild(Shape, frozen=True):
    """How a candidate that is built differs from the stable collection; what is not given stays as it is there."""

    embedding: EmbeddingWishes | None = None
    chunking: Chunking | None = None
    hnsw: HnswParams | None = None
    quantization: ScalarQuantization | msgspec.UnsetType | None = msgspec.UNSET
    optimizers: OptimizerParams | None = None
    payload_indexes: dict[str, PayloadIndexKind] | None = None
    search: SearchSettings | None = None
    spellings: bool | None = None


class Candidate(Shape, frozen=True):
    """A collection that may come to serve, called `variant` in routes, figures and judgements.

    `weight_percent` is its share in every stage, None: what the stage says. `build` is how it is made, None: it was there before.
    `out` is why it was taken out, empty while it takes part.
    """

    collection: str
    variant: str = "candidate"
    weight_percent: float | None = None
    build: CandidateBuild | None = None
    out: str = ""


class KnownAnswer(Shape, frozen=True):
    """A query and the grades of documents that answer it, or points; 0 is not relevant."""

    query: str
    grades: dict[str, int]


class Validation(Shape, frozen=True):
    """What the candidate is asked before it gets traffic: `queries` must find something, `judged` must not find worse."""

    queries: tuple[str, ...] = ()
    judged: tuple[KnownAnswer, ...] = ()


class RolloutSpec(Shape, frozen=True):
    """What shall happen to an alias. Not `promotes`: it ends with its decision and all traffic on the stable variant.

    `metrics` replace the defaults of the change, and `decides_by` is the one that tells which variant is better. The promoted
    candidate is watched for `watch_s`; what serves no more is kept for `grace_s` and removed then; None keeps it for good.
    """

    alias: str
    strategy: Strategy
    change: ChangeKind
    stages: tuple[Stage, ...]
    promotes: bool = True
    validation: Validation = Validation()
    metrics: tuple[Metric, ...] | None = None
    decides_by: MetricName | None = None
    policy: RolloutPolicy = RolloutPolicy()
    hooks: tuple[Hook, ...] = ()
    watch_s: float = 300.0
    grace_s: float | None = DAY_S


class Phase(StrEnum):
    """How it goes, as people see it.

    Healthy: the candidate proved good, and serves if it was to be promoted. Degraded: it serves, but failed while watched and
    somebody has to decide. Aborted: all traffic is on the stable variant.
    """

    PENDING = "pending"
    PROGRESSING = "progressing"
    PAUSED = "paused"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    ABORTED = "aborted"


class Step(StrEnum):
    """Where it stands in the one order that all strategies share.

    In `switch` the alias moves to where it shall stay: to the candidate on promotion, to the stable variant otherwise. Only what
    is promoted is watched. From `grace` on the alias is free for another rollout; from `retire` on there is no way back.
    """

    BUILD = "build"
    VALIDATE = "validate"
    STAGE = "stage"
    SWITCH = "switch"
    WATCH = "watch"
    GRACE = "grace"
    RETIRE = "retire"
    DONE = "done"


SETTLED = (Step.GRACE, Step.RETIRE, Step.DONE)
"""Steps in which a rollout is not under way: its alias may belong to another one."""


class Rollout(msgspec.Struct, frozen=True):
    """A rollout as remembered. `generation` grows with each change, and a change of an older generation is refused.

    `stage` counts from 0 and matters in the step of that name. `since` is when the step or stage took effect, None before;
    a stage or watch took effect with the alias's route in `route_version`.
    `chosen` is the variant that is to get all traffic, for good, and empty while none is. `extended_s` and `extensions` are of
    the stage, and so is `skip`, the reason for passing it whatever is measured. `switches` counts the times that the alias was to
    move for good. `asked` are the points at which every hook agreed. `attempt` counts from 1. `decision` is what was found by a
    rollout that ended and promoted nothing.
    """

    id: str
    spec: RolloutSpec
    stable: str
    candidates: tuple[Candidate, ...]
    created_at: datetime
    generation: int = 1
    attempt: int = 1
    phase: Phase = Phase.PENDING
    step: Step = Step.BUILD
    stage: int = 0
    since: datetime | None = None
    route_version: int = 0
    chosen: str = ""
    extended_s: float = 0.0
    extensions: int = 0
    skip: str | None = None
    switches: int = 0
    asked: frozenset[str] = frozenset()
    reason: str = ""
    decision: RolloutDecision | None = None

    @property
    def promoted(self) -> bool:
        """Whether a candidate is to get all traffic, for good."""
        return bool(self.chosen)

    @property
    def running(self) -> tuple[Candidate, ...]:
        """The candidates that take part: the chosen one, or all that were not taken out."""
        if self.chosen:
            return tuple(each for each in self.candidates if each.variant == self.chosen)
        return tuple(each for each in self.candidates if not each.out)

    @property
    def serving(self) -> str:
        """The collection that gets all traffic when it ends as it stands."""
        return self.running[0].collection if self.chosen else self.stable

    @property
    def collections(self) -> tuple[str, ...]:
        """The stable one and every candidate's."""
        return (self.stable, *(each.collection for each in self.candidates))


class Transition(msgspec.Struct, frozen=True):
    """One change of a rollout: what it became, who made it (`reconciler`, or a caller's name with the verb) and why."""

    generation: int
    at: datetime
    by: str
    phase: Phase
    step: Step
    stage: int
    reason: str
