"""Whatever happens to a rollout, in whatever order, with ticks lost, repeated or late: it keeps its promises."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace
from rollout_world import ONLY, SimulatedWorld, judgement, spec_of

from vectis.domain.errors import Conflict, InvalidInput
from vectis.domain.judgements import Verdict
from vectis.domain.rollouts import SETTLED, Candidate, Hook, HookPoint, Phase, Rollout, RolloutPolicy, Step, Strategy
from vectis.domain.routes import STABLE, RoutePlan, Target
from vectis.rollouts.rules import Action, Ask, CandidateState, Move, next_action, plan_of
from vectis.rollouts.verbs import EXPLAINED, Verb

VERDICTS = st.sampled_from([None, *Verdict])
POLICIES = st.builds(
    RolloutPolicy,
    on_failed=st.sampled_from(["abort", "pause"]),
    on_inconclusive=st.sampled_from(["pause", "extend", "abort"]),
    extensions_max=st.integers(0, 2),
)
ORDER = list(Step)
VARIANTS = (Candidate("docs_2", "a", 20), Candidate("docs_3", "b", 20), Candidate("docs_4", "c", 10))


class RolloutMachine(RuleBasedStateMachine):
    """One rollout, its reconciler, its users and its bad luck."""

    @initialize(
        strategy=st.sampled_from(Strategy),
        policy=POLICIES,
        manual=st.booleans(),
        hooked=st.sets(st.sampled_from(HookPoint)),
        keeps=st.booleans(),
        several=st.booleans(),
    )
    def start(
        self,
        strategy: Strategy,
        policy: RolloutPolicy,
        manual: bool,
        hooked: set[HookPoint],
        keeps: bool,
        several: bool,
    ) -> None:
        spec = spec_of(strategy)
        self.world = SimulatedWorld(
            replace(
                spec,
                policy=policy,
                stages=tuple(replace(stage, manual=manual) for stage in spec.stages),
                hooks=tuple(Hook("http://localhost", at=point) for point in hooked),
                grace_s=None if keeps else spec.grace_s,
            ),
            VARIANTS if several and strategy is Strategy.EXPERIMENT else ONLY,
        )
        self.verbs: dict[int, tuple[Verb, str]] = {}
        self.late: Action | None = None

    # what the world does

    @rule(seconds=st.sampled_from([1, 60, 1800, 7200, 86_400, 200_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule(verdict=VERDICTS)
    def judge(self, verdict: Verdict | None) -> None:
        self.world.verdict = verdict
        self.world.verdicts = {}

    @rule(variant=st.sampled_from(VARIANTS), verdict=st.sampled_from(Verdict))
    def judge_one(self, variant: Candidate, verdict: Verdict) -> None:
        self.world.verdicts[variant.variant] = judgement(verdict)

    @rule(verdict=VERDICTS)
    def validate(self, verdict: Verdict | None) -> None:
        self.world.validation = verdict

    @precondition(lambda self: self.world.is_building)
    @rule(works=st.sampled_from([True, True, False]), which=st.integers(0, 2))
    def build_ends(self, works: bool, which: int) -> None:
        if works:
            self.world.finish_build()
        else:
            running = self.world.rollout.running
            self.world.states[running[which % len(running)].variant] = CandidateState.BROKEN

    @rule(rounds=st.integers(1, 5), then=VERDICTS)
    def all_goes_well_until(self, rounds: int, then: Verdict | None) -> None:
        """Into the later stages, which single rules seldom reach."""
        for _ in range(rounds):
            self.judge(Verdict.SUCCESSFUL)
            self.world.validation = Verdict.SUCCESSFUL
            if self.world.is_building:
                self.world.finish_build()
            for _ in range(6):
                self.tick()
            self.world.now += timedelta(hours=2)
        self.world.verdict = self.world.validation = then
        self.tick()

    @precondition(lambda self: self.world.rollout.step in (Step.BUILD, Step.VALIDATE))
    @rule(verdict=VERDICTS)
    def the_candidate_is_built_and_validated(self, verdict: Verdict | None) -> None:
        self.tick()
        if self.world.is_building:
            self.world.finish_build()
        self.world.validation = verdict
        self.tick()
        self.tick()

    @rule(refuses=st.booleans())
    def hooks_decide(self, refuses: bool) -> None:
        self.world.refuses = refuses

    @precondition(lambda self: self.world.rollout.step not in SETTLED)
    @rule()
    def somebody_changes_the_route(self) -> None:
        route = self.world.route
        self.world.route = replace(route, plan=RoutePlan((Target("docs_1"),)), version=route.version + 1)

    # what the reconciler does

    @rule()
    def tick(self) -> None:
        self._apply(next_action(self.world.read()))

    @rule(ticks=st.integers(2, 8))
    def several_ticks(self, ticks: int) -> None:
        for _ in range(ticks):
            self.tick()

    @rule()
    def crash_and_repeat(self) -> None:
        """Applied, then the reconciler dies before it knows: the same action comes again and changes nothing more."""
        action = next_action(self.world.read())
        self._apply(action)
        once = vars(self.world).copy(), len(self.world.history), len(self.world.routes)
        self.world.apply(action)
        assert (vars(self.world), len(self.world.history), len(self.world.routes)) == once

    @rule()
    def a_slow_reconciler_reads(self) -> None:
        self.late = next_action(self.world.read())

    @precondition(lambda self: self.late is not None)
    @rule()
    def a_slow_reconciler_writes(self) -> None:
        """What it read may be long gone; the verdicts it was decided by are not checked, its generation and version are."""
        action, self.late = self.late, None
        generation, version = self.world.rollout.generation, self.world.route.version
        self.world.apply(action)
        if isinstance(action, Move) and action.rollout.generation != generation + 1:
            assert self.world.rollout.generation == generation
        assert self.world.route.version <= version + 1

    # what people do

    @rule(verb=st.sampled_from(Verb), reason=st.sampled_from(["", "because"]))
    def somebody_acts(self, verb: Verb, reason: str) -> None:
        generation = self.world.rollout.generation
        try:
            self.world.do(verb, reason)
        except (Conflict, InvalidInput):
            assert self.world.rollout.generation == generation
            return
        self.verbs[self.world.rollout.generation] = verb, reason

    @precondition(lambda self: self.world.rollout.step is Step.STAGE)
    @rule(verb=st.sampled_from(sorted(EXPLAINED)), reason=st.sampled_from(["", "because"]))
    def somebody_is_in_a_hurry(self, verb: Verb, reason: str) -> None:
        self.somebody_acts(verb, reason)

    @precondition(lambda self: self.world.rollout.step in SETTLED)
    @rule(verb=st.sampled_from([Verb.UNDO, Verb.RETRY, Verb.PROMOTE_FULL]))
    def somebody_thinks_again(self, verb: Verb) -> None:
        self.somebody_acts(verb, "because")

    # what is always so

    @invariant()
    def each_change_is_one_generation(self) -> None:
        generations = [rollout.generation for rollout in self.world.history]
        assert generations == list(range(1, len(generations) + 1))

    @invariant()
    def the_alias_is_the_candidate_s_only_after_promotion(self) -> None:
        if any(target.variant == STABLE and target.collection != "docs_1" for target in self.world.route.targets):
            assert any(rollout.promoted for rollout in self.world.history)

    @invariant()
    def what_serves_exists(self) -> None:
        assert {target.collection for target in self.world.route.targets} <= self.world.collections

    @invariant()
    def what_may_serve_again_follows_every_write(self) -> None:
        """Unless somebody else wrote the route since."""
        rollout, route = self.world.rollout, self.world.route
        decided = rollout.phase is not Phase.ABORTED and rollout.step in (Step.WATCH, Step.GRACE)
        if route is self.world.routes[-1] and (decided or (rollout.step is Step.STAGE and rollout.since is not None)):
            serve_again = {rollout.stable, *(each.collection for each in rollout.running)}
            assert serve_again & self.world.collections <= set(route.plan.written)

    @invariant()
    def nothing_is_skipped_without_a_reason(self) -> None:
        for before, after in zip(self.world.history, self.world.history[1:], strict=False):
            if _goes_on(before, after) and after.generation in self.verbs:
                verb, reason = self.verbs[after.generation]
                assert verb in EXPLAINED
                assert reason
                assert after.reason == reason

    @invariant()
    def an_aborted_rollout_that_rests_serves_from_stable(self) -> None:
        rollout = self.world.rollout
        if rollout.phase is Phase.ABORTED:
            aborted = plan_of(rollout, self.world.states)
            assert (aborted.targets, aborted.followers, aborted.mirror) == ((Target("docs_1"),), (), None)
            if rollout.step in SETTLED:
                assert self.world.route.targets == (Target("docs_1"),)

    def teardown(self) -> None:
        """Left alone with good figures it ends; aborted, it ends with all traffic on stable."""
        if not hasattr(self, "world"):
            return
        world = self.world
        for _ in range(40):
            self.judge(Verdict.SUCCESSFUL)
            world.validation = Verdict.SUCCESSFUL
            world.refuses = False
            if world.is_building:
                world.finish_build()
            world.settle()
            if world.rollout.step is Step.DONE:
                break
            if world.rollout.phase in (Phase.PAUSED, Phase.DEGRADED):
                waits = world.rollout.step is Step.STAGE
                self.somebody_acts(Verb.PROMOTE if waits else Verb.RESUME, "good figures")
            world.now += timedelta(days=2)
        assert world.rollout.step is Step.DONE, world.rollout
        assert world.route.targets == plan_of(world.rollout, world.states).targets
        if world.rollout.phase is Phase.ABORTED:
            assert world.route.targets == (Target("docs_1"),)
        self.nothing_is_skipped_without_a_reason()

    def _apply(self, action: Action) -> None:
        """Apply, and check that who went past a judgement by itself had one to show."""
        before, judged = self.world.rollout, self.world.read().judgements
        self.world.apply(action)
        after = self.world.rollout
        if isinstance(action, Ask) or not _goes_on(before, after):
            return
        if before.step is Step.STAGE and before.spec.stages[before.stage].is_judged and before.skip is None:
            assert {each.variant for each in before.running} == judged.keys()
            assert {each.verdict for each in judged.values()} == {Verdict.SUCCESSFUL}
        if before.step is Step.VALIDATE and before.skip is None:
            assert self.world.validation is Verdict.SUCCESSFUL


def _goes_on(before: Rollout, after: Rollout) -> bool:
    """From a validation or stage to a later one, not to an abort."""
    if after.phase is Phase.ABORTED or before.step not in (Step.VALIDATE, Step.STAGE):
        return False
    return (ORDER.index(after.step), after.stage) > (ORDER.index(before.step), before.stage)


TestRollout = RolloutMachine.TestCase
TestRollout.settings = settings(max_examples=150, stateful_step_count=40)
