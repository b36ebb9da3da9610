"""A world in which rollouts happen: what the reconciler would read and write, in memory, with a clock that is set by hand."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby

from msgspec.structs import replace

from vectis.domain.evidence import latency_bucket
from vectis.domain.judgements import Judgement, MetricJudgement, Verdict
from vectis.domain.rollouts import Candidate, ChangeKind, Phase, Rollout, RolloutSpec, Step, Strategy
from vectis.domain.routes import Route, RoutePlan, Target
from vectis.rollouts.rules import (
    Action,
    Ask,
    Build,
    CandidateState,
    Move,
    Retire,
    SetRoute,
    Validate,
    Wait,
    World,
    next_action,
)  # fmt: skip
from vectis.rollouts.strategies import default_spec
from vectis.rollouts.verbs import Verb, apply_verb

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPLIT = MetricJudgement("split", Verdict.SUCCESSFUL, "fair", "none")


def latency_counts(latencies_ms: Iterable[float]) -> dict[int, int]:
    """Latencies as a tick holds them."""
    return dict(Counter(latency_bucket(latency_ms) for latency_ms in latencies_ms))


def judgement(verdict: Verdict, reason: str = "as the test says") -> Judgement:
    return Judgement(verdict, reason, (), SPLIT)


def spec_of(strategy: Strategy) -> RolloutSpec:
    return default_spec("docs", strategy, ChangeKind.REEMBED)


ONLY = (Candidate("docs_2"),)


def canary_of(spec: RolloutSpec | None = None) -> Rollout:
    """A rollout that just began."""
    return Rollout("r1", spec or spec_of(Strategy.CANARY), "docs_1", ONLY, created_at=START)


class SimulatedWorld:
    """One alias, one rollout. `verdict` is what the judge would say, of some variants what is in `verdicts`, `validation` what is
    said before that; `refuses` what the hooks do."""

    def __init__(self, spec: RolloutSpec, candidates: tuple[Candidate, ...] = ONLY) -> None:
        self.now = START
        self.rollout = Rollout("r1", spec, "docs_1", candidates, created_at=START)
        self.route = Route("docs", RoutePlan((Target("docs_1"),)))
        self.states = dict.fromkeys((each.variant for each in candidates), CandidateState.ABSENT)
        self.validation: Verdict | None = None
        self.verdict: Verdict | None = None
        self.verdicts: dict[str, Judgement] = {}
        self.refuses = False
        self.collections = {"docs_1"}
        self.history = [self.rollout]
        self.routes = [self.route]

    def read(self) -> World:
        rollout, variants = self.rollout, [each.variant for each in self.rollout.running]
        judged = {} if self.verdict is None else dict.fromkeys(variants, judgement(self.verdict))
        judged |= {variant: each for variant, each in self.verdicts.items() if variant in variants}
        return World(
            now=self.now,
            rollout=rollout,
            route=self.route,
            candidates={variant: self.states[variant] for variant in variants},
            validations={} if self.validation is None else dict.fromkeys(variants, judgement(self.validation)),
            judgements=judged,
            spare=tuple(name for name in rollout.collections if name in self.collections - {rollout.serving}),
        )

    def apply(self, action: Action) -> None:
        match action:
            case Move(rollout):
                self.record(rollout)
            case SetRoute(plan, read_version):
                missing = plan.collections - self.collections
                if self.route.version == read_version and not missing:
                    self.route = Route("docs", plan, self.route.version + 1)
                    self.routes.append(self.route)
            case Ask(_, agreed, refused):
                self.record(refused if self.refuses else agreed)
            case Build(variant):
                if self.states[variant] is CandidateState.ABSENT:
                    self.states[variant] = CandidateState.BUILDING
                    self.collections.add(self.of(variant).collection)
            case Retire(collection, generation):
                if generation == self.rollout.generation:
                    assert collection not in self.route.plan.collections, "the route needs it"
                    self.collections.discard(collection)
                    for each in self.rollout.candidates:
                        if collection == each.collection:
                            self.states[each.variant] = CandidateState.ABSENT
            case Validate() | Wait():
                pass

    def record(self, rollout: Rollout) -> None:
        if rollout.generation == self.rollout.generation + 1:
            self.rollout = rollout
            self.history.append(rollout)

    def tick(self) -> Action:
        action = next_action(self.read())
        self.apply(action)
        return action

    def settle(self) -> Action:
        """Tick until there is nothing to do at this time."""
        for _ in range(50):
            action = self.tick()
            if isinstance(action, Wait | Build | Validate):
                return action
        raise AssertionError(f"it does not come to rest: {self.rollout}")

    def finish_build(self) -> None:
        for each in self.rollout.running:
            self.states[each.variant] = CandidateState.READY
            self.collections.add(each.collection)

    def of(self, variant: str) -> Candidate:
        return next(each for each in self.rollout.candidates if each.variant == variant)

    @property
    def is_building(self) -> bool:
        return CandidateState.BUILDING in [self.states[each.variant] for each in self.rollout.running]

    def pass_time(self, seconds: float) -> Action:
        self.now += timedelta(seconds=seconds)
        return self.settle()

    def do(self, verb: Verb, reason: str = "", by_s: float | None = None, variant: str = "") -> None:
        self.record(
            apply_verb(self.rollout, verb, route=self.route, now=self.now, reason=reason, by_s=by_s, variant=variant)
        )

    def to_first_stage(self) -> None:
        self.settle()
        self.finish_build()
        self.validation = Verdict.SUCCESSFUL
        self.settle()

    @property
    def weights(self) -> dict[str, float]:
        return {target.collection: target.weight_percent for target in self.route.targets}

    @property
    def served(self) -> list[tuple[Target, ...]]:
        """How the traffic was shared out, one after the other."""
        return [targets for targets, _ in groupby(route.targets for route in self.routes)]

    @property
    def stands(self) -> tuple[Phase, Step, int]:
        return self.rollout.phase, self.rollout.step, self.rollout.stage


def with_spec(world: SimulatedWorld, **changes: object) -> SimulatedWorld:
    return SimulatedWorld(replace(world.rollout.spec, **changes))
