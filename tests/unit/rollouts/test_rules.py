"""Stories of rollouts, told by the clock: what is done next, and how each ends."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from rollout_world import START, SimulatedWorld, spec_of, with_spec

from vectis.domain.judgements import Verdict
from vectis.domain.rollouts import Hook, HookPoint, Phase, RolloutPolicy, Stage, Step, Strategy
from vectis.domain.routes import Mirror, RoutePlan, Target
from vectis.rollouts.rules import Ask, Build, CandidateState, SetRoute, Validate, Wait, judged_stages, next_action
from vectis.rollouts.verbs import Verb

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


@pytest.fixture
def canary() -> SimulatedWorld:
    return SimulatedWorld(spec_of(Strategy.CANARY))


def test_a_canary_is_built_validated_and_then_gets_its_first_share(canary: SimulatedWorld) -> None:
    assert isinstance(canary.settle(), Build)
    assert isinstance(canary.settle(), Wait)
    canary.finish_build()
    assert isinstance(canary.settle(), Validate)
    assert canary.weights == {"docs_1": 100}
    canary.validation = Verdict.SUCCESSFUL
    assert canary.settle() == Wait(START + timedelta(minutes=30))
    assert canary.weights == {"docs_1": 95, "docs_2": 5}
    assert canary.route.plan.salt == "r1"
    assert canary.stands == (Phase.PROGRESSING, Step.STAGE, 0)


def test_a_good_canary_ends_with_all_traffic_and_then_without_the_old_collection(canary: SimulatedWorld) -> None:
    canary.to_first_stage()
    canary.verdict = Verdict.SUCCESSFUL
    shares = []
    for minutes in (30, 60, 120):
        shares.append(canary.weights["docs_2"])
        canary.pass_time(minutes * MINUTE_S)
    assert shares == [5, 25, 50]
    assert canary.stands[:2] == (Phase.PROGRESSING, Step.WATCH)
    assert canary.route.targets == (Target("docs_2"),)
    assert canary.route.version == max(route.version for route in canary.routes)
    canary.pass_time(5 * MINUTE_S)
    assert canary.stands[:2] == (Phase.HEALTHY, Step.GRACE)
    canary.pass_time(DAY_S - 1)
    assert canary.collections == {"docs_1", "docs_2"}
    canary.pass_time(1)
    assert canary.collections == {"docs_2"}
    assert canary.stands[:2] == (Phase.HEALTHY, Step.DONE)


def test_writes_follow_from_the_build_on_and_until_nobody_goes_back(canary: SimulatedWorld) -> None:
    assert canary.route.plan.written == ("docs_1",)
    canary.settle()
    canary.settle()
    assert canary.route.plan == RoutePlan((Target("docs_1"),), followers=("docs_2",)), "it is being built"
    canary.to_first_stage()
    canary.verdict = Verdict.SUCCESSFUL
    for minutes in (30, 60, 120):
        assert set(canary.route.plan.written) == {"docs_1", "docs_2"}
        canary.pass_time(minutes * MINUTE_S)
    canary.pass_time(300)
    assert canary.stands[:2] == (Phase.HEALTHY, Step.GRACE)
    assert canary.route.plan == RoutePlan((Target("docs_2"),), "r1 1", followers=("docs_1",)), "undo would lose nothing"
    canary.pass_time(DAY_S)
    assert canary.route.plan == RoutePlan((Target("docs_2"),), "r1 1")


def test_the_alias_moves_last(canary: SimulatedWorld) -> None:
    canary.to_first_stage()
    canary.verdict = Verdict.SUCCESSFUL
    for minutes in (30, 60, 120):
        assert Target("docs_2") not in canary.route.targets
        canary.pass_time(minutes * MINUTE_S)
    serving = canary.served
    assert [len(targets) for targets in serving] == [1, 2, 2, 2, 1, 1]
    assert serving[-2:] == [(Target("docs_2", "candidate"),), (Target("docs_2"),)]


@pytest.mark.parametrize("hours", [0, 1, 3])
def test_a_failed_stage_gives_all_traffic_back(canary: SimulatedWorld, hours: int) -> None:
    canary.to_first_stage()
    canary.verdict = Verdict.SUCCESSFUL
    canary.pass_time(hours * HOUR_S)
    canary.verdict = Verdict.FAILED
    canary.settle()
    assert canary.weights == {"docs_1": 100}
    assert canary.stands[:2] == (Phase.ABORTED, Step.GRACE)
    assert "failed: as the test says" in canary.rollout.reason
    canary.pass_time(DAY_S)
    assert canary.collections == {"docs_1"}
    assert "failed: as the test says" in canary.rollout.reason


@pytest.mark.parametrize("verdict", [None, Verdict.ERROR, Verdict.INCONCLUSIVE])
def test_no_data_and_not_knowing_are_waited_for_and_never_success(
    canary: SimulatedWorld, verdict: Verdict | None
) -> None:
    canary.to_first_stage()
    canary.verdict = verdict
    canary.pass_time(DAY_S - 1)
    assert canary.stands == (Phase.PROGRESSING, Step.STAGE, 0)
    canary.pass_time(1)
    assert canary.stands == (Phase.PAUSED, Step.STAGE, 0)
    assert canary.weights == {"docs_1": 95, "docs_2": 5}


def test_a_failure_is_acted_on_while_paused(canary: SimulatedWorld) -> None:
    canary.to_first_stage()
    canary.do(Verb.PAUSE, "lunch")
    assert canary.settle() == Wait()
    canary.verdict = Verdict.FAILED
    canary.settle()
    assert canary.weights == {"docs_1": 100}


def test_policies_say_what_is_done_about_failed_and_inconclusive(canary: SimulatedWorld) -> None:
    pausing = with_spec(canary, policy=RolloutPolicy(on_failed="pause"))
    pausing.to_first_stage()
    pausing.verdict = Verdict.FAILED
    pausing.settle()
    assert pausing.stands == (Phase.PAUSED, Step.STAGE, 0)
    aborting = with_spec(canary, policy=RolloutPolicy(on_inconclusive="abort"))
    aborting.to_first_stage()
    aborting.verdict = Verdict.INCONCLUSIVE
    aborting.pass_time(DAY_S)
    assert aborting.stands[:2] == (Phase.ABORTED, Step.GRACE)
    extending = with_spec(canary, policy=RolloutPolicy(on_inconclusive="extend", extensions_max=2))
    extending.to_first_stage()
    extending.verdict = Verdict.INCONCLUSIVE
    extending.pass_time(DAY_S)
    extending.pass_time(30 * MINUTE_S)
    assert (extending.rollout.extensions, extending.rollout.phase) == (2, Phase.PROGRESSING)
    extending.pass_time(30 * MINUTE_S)
    assert extending.rollout.phase is Phase.PAUSED


def test_without_figures_nothing_is_extended_or_aborted(canary: SimulatedWorld) -> None:
    for policy in (RolloutPolicy(on_inconclusive="abort"), RolloutPolicy(on_inconclusive="extend")):
        blind = with_spec(canary, policy=policy)
        blind.to_first_stage()
        blind.pass_time(DAY_S)
        assert blind.stands == (Phase.PAUSED, Step.STAGE, 0)


def test_a_blue_green_rollout_switches_once(canary: SimulatedWorld) -> None:
    world = SimulatedWorld(spec_of(Strategy.BLUE_GREEN))
    world.to_first_stage()
    assert world.served == [(Target("docs_1"),), (Target("docs_2"),)]
    assert world.stands[:2] == (Phase.PROGRESSING, Step.WATCH)
    world.verdict = Verdict.FAILED
    world.settle()
    assert world.route.targets == (Target("docs_1"),)
    assert world.stands[:2] == (Phase.ABORTED, Step.GRACE)


def test_an_invalid_candidate_never_gets_traffic() -> None:
    for strategy in Strategy:
        world = SimulatedWorld(spec_of(strategy))
        world.settle()
        world.finish_build()
        world.validation = Verdict.FAILED
        world.settle()
        assert world.stands[:2] == (Phase.ABORTED, Step.GRACE)
        assert world.served == [(Target("docs_1"),)]


def test_a_candidate_that_cannot_be_built_ends_the_rollout(canary: SimulatedWorld) -> None:
    canary.settle()
    canary.states["candidate"] = CandidateState.BROKEN
    canary.collections.discard("docs_2")
    canary.settle()
    assert canary.stands[:2] == (Phase.ABORTED, Step.DONE), "there is nothing to keep"
    canary.states["candidate"] = CandidateState.ABSENT
    canary.do(Verb.RETRY)
    assert isinstance(canary.settle(), Build)
    assert canary.rollout.attempt == 2


def test_a_shadow_takes_no_traffic_and_promotes_nothing_by_itself() -> None:
    world = SimulatedWorld(spec_of(Strategy.SHADOW))
    world.to_first_stage()
    world.verdict = Verdict.SUCCESSFUL
    world.pass_time(30 * MINUTE_S)
    assert world.stands[:2] == (Phase.HEALTHY, Step.GRACE)
    assert world.served == [(Target("docs_1"),)]
    mirrored = [route.plan.mirror for route in world.routes if route.plan.mirror]
    assert mirrored == [Mirror({"candidate": "docs_2"}, 10)]
    world.do(Verb.PROMOTE_FULL, "the shadow was good")
    world.settle()
    assert world.route.targets == (Target("docs_2"),)


def test_an_experiment_keeps_its_split_and_gives_the_traffic_back() -> None:
    world = SimulatedWorld(spec_of(Strategy.EXPERIMENT))
    world.to_first_stage()
    assert world.weights == {"docs_1": 50, "docs_2": 50}
    world.verdict = Verdict.SUCCESSFUL
    world.pass_time(DAY_S)
    assert world.stands[:2] == (Phase.HEALTHY, Step.GRACE)
    assert world.weights == {"docs_1": 100}


def test_a_manual_stage_waits_for_promote(canary: SimulatedWorld) -> None:
    stages = tuple(replace(stage, manual=True) for stage in canary.rollout.spec.stages)
    world = with_spec(canary, stages=stages)
    world.to_first_stage()
    world.verdict = Verdict.SUCCESSFUL
    world.pass_time(30 * MINUTE_S)
    assert world.stands == (Phase.PAUSED, Step.STAGE, 0)
    world.do(Verb.PROMOTE, "looks right")
    world.settle()
    assert world.stands == (Phase.PROGRESSING, Step.STAGE, 1)


def test_hooks_are_asked_before_each_stage_and_the_promotion(canary: SimulatedWorld) -> None:
    hooks = tuple(Hook("http://localhost/agree", at=point) for point in HookPoint)
    world = with_spec(canary, hooks=hooks)
    world.to_first_stage()
    world.verdict = Verdict.SUCCESSFUL
    for minutes in (30, 60, 120, 0):
        world.pass_time(minutes * MINUTE_S)
    assert world.rollout.asked == {"start 0", "stage 1", "stage 2", "stage 3", "promotion 4"}
    refused = with_spec(canary, hooks=hooks)
    refused.to_first_stage()
    refused.verdict, refused.refuses = Verdict.SUCCESSFUL, True
    refused.pass_time(30 * MINUTE_S)
    assert refused.stands == (Phase.PAUSED, Step.STAGE, 0)
    assert refused.rollout.reason == "a hook refused: stage"
    refused.do(Verb.RESUME)
    refused.refuses = False
    assert isinstance(next_action(refused.read()), Ask)


def test_a_failure_while_watched_may_wait_for_somebody(canary: SimulatedWorld) -> None:
    world = with_spec(canary, stages=(), policy=RolloutPolicy(on_failed="pause"))
    world.to_first_stage()
    world.verdict = Verdict.FAILED
    assert world.settle() == Wait()
    assert world.stands[:2] == (Phase.DEGRADED, Step.WATCH)
    assert world.weights == {"docs_2": 100}
    world.do(Verb.UNDO)
    world.settle()
    assert world.weights == {"docs_1": 100}


def test_a_route_that_somebody_changed_is_set_again(canary: SimulatedWorld) -> None:
    canary.to_first_stage()
    canary.route = replace(canary.route, plan=RoutePlan((Target("docs_1"),)), version=canary.route.version + 1)
    canary.settle()
    assert canary.weights == {"docs_1": 95, "docs_2": 5}


def test_the_judgements_that_may_abort_are_counted() -> None:
    stages = {strategy: judged_stages(SimulatedWorld(spec_of(strategy)).rollout) for strategy in Strategy}
    assert stages == {Strategy.CANARY: 4, Strategy.BLUE_GREEN: 1, Strategy.SHADOW: 1, Strategy.EXPERIMENT: 1}


def test_what_was_decided_before_an_undo_is_not_written_after_it() -> None:
    """The undo finds the route as it should be, because the promotion was never written; it writes all the same."""
    world = SimulatedWorld(spec_of(Strategy.SHADOW))
    world.to_first_stage()
    world.verdict = Verdict.SUCCESSFUL
    world.pass_time(30 * MINUTE_S)
    world.do(Verb.PROMOTE_FULL, "the shadow was good")
    late = next_action(world.read())
    assert isinstance(late, SetRoute)
    world.do(Verb.UNDO, "it was not")
    world.settle()
    assert world.stands[:2] == (Phase.ABORTED, Step.GRACE)
    world.apply(late)
    assert world.weights == {"docs_1": 100}


def test_a_promoted_candidate_is_held_against_what_served_before_as_long_as_it_is_watched(
    canary: SimulatedWorld,
) -> None:  # fmt: skip
    world = with_spec(canary, stages=())
    world.to_first_stage()
    assert world.stands[:2] == (Phase.PROGRESSING, Step.WATCH)
    assert world.route.plan.mirror == Mirror({"candidate": "docs_1"}, 100, as_stable=True)
    assert world.rollout.route_version <= world.route.version
    watched = world.route
    world.pass_time(5 * MINUTE_S)
    assert world.stands[:2] == (Phase.HEALTHY, Step.GRACE)
    assert world.route.plan == replace(watched.plan, mirror=None)


def test_a_stage_that_has_all_traffic_mirrors_to_the_stable_variant(canary: SimulatedWorld) -> None:
    world = with_spec(canary, stages=(Stage(100, duration_s=60, mirror_percent=10),))
    world.to_first_stage()
    assert world.route.targets == (Target("docs_2", "candidate"),)
    assert world.route.plan.mirror == Mirror({"candidate": "docs_1"}, 10, as_stable=True)


def test_each_stage_remembers_the_route_that_it_began_with(canary: SimulatedWorld) -> None:
    canary.to_first_stage()
    assert canary.rollout.route_version == canary.route.version
    canary.verdict = Verdict.SUCCESSFUL
    canary.pass_time(30 * MINUTE_S)
    assert canary.stands[1:] == (Step.STAGE, 1)
    assert canary.rollout.route_version == canary.route.version


def test_a_candidate_that_missed_writes_is_not_promoted_by_a_stage_that_compares_nothing(
    canary: SimulatedWorld,
) -> None:  # fmt: skip
    world = with_spec(canary, stages=(Stage(100, duration_s=0),))
    world.verdict = Verdict.FAILED
    world.to_first_stage()
    assert world.stands[:2] == (Phase.ABORTED, Step.GRACE)
    assert world.weights == {"docs_1": 100}
