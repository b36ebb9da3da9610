"""A world in which rollouts happen: what the reconciler would read and write, in memory, with a clock that is set by hand."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby

from msgspec.structs import replace

from vectis.domain.evidence import latency_bucket
from vectis.domain.judgements import Judgement, MetricJudgement, Verdict
from vectis.domain.rollouts import ChangeKind, Phase, Rollout, RolloutSpec, Step, Strategy
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


class SimulatedWorld:
    """One alias, one rollout. `verdict` is what the judge would say; `refuses` what the hooks do."""

    def __init__(self, spec: RolloutSpec) -> None:
        self.now = START
        self.rollout = Rollout(id="r1", spec=spec, stable="docs_1", candidate="docs_2", created_at=START)
        self.route = Route("docs", RoutePlan((Target("docs_1"),)))
        self.candidate = CandidateState.ABSENT
        self.validation: Verdict | None = None
        self.verdict: Verdict | None = None
        self.refuses = False
        self.collections = {"docs_1"}
        self.history = [self.rollout]
        self.routes = [self.route]

    def read(self) -> World:
        kept = self.rollout.stable if self.rollout.promoted else self.rollout.candidate
        return World(
            now=self.now,
            rollout=self.rollout,
            route=self.route,
            candidate=self.candidate,
            validation=None if self.validation is None else judgement(self.validation),
            judgement=None if self.verdict is None else judgement(self.verdict),
            retired=kept not in self.collections,
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
            case Build():
                if self.candidate is CandidateState.ABSENT:
                    self.candidate = CandidateState.BUILDING
                    self.collections.add(self.rollout.candidate)
            case Retire(collection, generation):
                if generation == self.rollout.generation:
                    assert collection not in self.route.plan.collections, "the route needs it"
                    self.collections.discard(collection)
                    if collection == self.rollout.candidate:
                        self.candidate = CandidateState.ABSENT
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
        self.candidate = CandidateState.READY
        self.collections.add(self.rollout.candidate)

    def pass_time(self, seconds: float) -> Action:
        self.now += timedelta(seconds=seconds)
        return self.settle()

    def do(self, verb: Verb, reason: str = "", by_s: float | None = None) -> None:
        self.record(apply_verb(self.rollout, verb, now=self.now, reason=reason, by_s=by_s))

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
