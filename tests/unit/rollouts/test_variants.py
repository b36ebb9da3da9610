"""Experiments with several variants: fixed shares, some taken out, a decision, and one of them promoted."""

import pytest
from msgspec.structs import replace
from rollout_world import SPLIT, SimulatedWorld, judgement, spec_of

from vectis.domain.errors import InvalidInput
from vectis.domain.judgements import Judgement, MetricJudgement, MetricName, Verdict
from vectis.domain.rollouts import Candidate, CandidateBuild, Phase, RolloutPolicy, RolloutSpec, Step, Strategy
from vectis.domain.routes import Mirror, Target
from vectis.rollouts.judging.deciding import decide
from vectis.rollouts.rules import Build, CandidateState
from vectis.rollouts.verbs import Verb

DAY_S = 86_400
A, B, C = (
    Candidate(f"docs_{name}", name, share, CandidateBuild()) for name, share in (("a", 30), ("b", 20), ("c", 10))
)
KEYS = [f"user-{number}" for number in range(2000)]


def spec_with(**changes: object) -> RolloutSpec:
    spec = spec_of(Strategy.EXPERIMENT)
    return replace(spec, stages=(replace(spec.stages[0], weight_percent=60),), **changes)


@pytest.fixture
def three() -> SimulatedWorld:
    return SimulatedWorld(spec_with(), (A, B, C))


def measured(name: MetricName, low: float, high: float, verdict: Verdict = Verdict.SUCCESSFUL) -> Judgement:
    worsening = (low + high) / 2
    metric = MetricJudgement(name, verdict, "as the test says", "bets", 200, 0.5, 0.5 - worsening, worsening, low, high)
    return Judgement(verdict, "as the test says", (metric,), SPLIT)


def assigned(world: SimulatedWorld) -> dict[str, str]:
    return {key: world.route.plan.assign(key).collection for key in KEYS}


def test_every_variant_is_built_follows_all_writes_and_gets_its_share(three: SimulatedWorld) -> None:
    built = []
    while isinstance(action := three.settle(), Build):
        built.append(action.variant)
    assert built == ["a", "b", "c"]
    assert three.route.plan.written == ("docs_1", "docs_a", "docs_b", "docs_c")
    assert three.stands == (Phase.PENDING, Step.BUILD, 0)
    three.to_first_stage()
    assert three.route.targets == (
        Target("docs_1", "stable", 40),
        Target("docs_a", "a", 30),
        Target("docs_b", "b", 20),
        Target("docs_c", "c", 10),
    )
    assert set(three.route.plan.written) == {"docs_1", "docs_a", "docs_b", "docs_c"}


def test_one_that_cannot_be_built_is_taken_out_before_any_traffic(three: SimulatedWorld) -> None:
    three.settle()
    three.states["a"] = CandidateState.BROKEN
    for variant in ("b", "c"):
        three.settle()
        three.states[variant] = CandidateState.READY
    three.validation = Verdict.SUCCESSFUL
    three.settle()
    assert three.of("a").out == "the candidate could not be built"
    assert {target.variant for target in three.route.targets} == {"stable", "a_out", "b", "c"}
    assert "docs_a" not in three.route.plan.collections


def test_one_is_taken_out_by_hand_and_the_last_one_ends_it(three: SimulatedWorld) -> None:
    with pytest.raises(InvalidInput, match="name one of a, b, c"):
        three.do(Verb.ABORT, "too dear", variant="d")
    three.to_first_stage()
    before = assigned(three)
    three.do(Verb.PAUSE)
    three.do(Verb.ABORT, "too dear", variant="b")
    three.settle()
    assert (three.of("b").out, three.rollout.reason) == ("too dear", "taken out: b: too dear")
    assert three.stands == (Phase.PAUSED, Step.STAGE, 0)
    assert assigned(three) == {key: "docs_1" if name == "docs_b" else name for key, name in before.items()}
    with pytest.raises(InvalidInput, match="'b' takes no part; name one of a, c"):
        three.do(Verb.ABORT, variant="b")
    for variant in ("a", "c"):
        three.do(Verb.ABORT, variant=variant)
    three.settle()
    assert three.stands[:2] == (Phase.ABORTED, Step.GRACE)
    assert three.weights == {"docs_1": 100}


def test_a_variant_that_fails_gives_its_share_to_stable_and_no_other_key_moves(three: SimulatedWorld) -> None:
    three.to_first_stage()
    before = assigned(three)
    three.verdicts["b"] = judgement(Verdict.FAILED, "too slow")
    three.settle()
    assert three.stands == (Phase.PROGRESSING, Step.STAGE, 0)
    assert three.rollout.reason == "taken out: b: stage 1 failed: too slow"
    assert three.route.targets[2] == Target("docs_1", "b_out", 20)
    after = assigned(three)
    assert after == {key: "docs_1" if name == "docs_b" else name for key, name in before.items()}
    assert "docs_b" not in three.route.plan.written
    assert three.rollout.since == three.history[-2].since, "the others go on where they were"


def test_with_none_left_it_is_aborted(three: SimulatedWorld) -> None:
    three.to_first_stage()
    three.verdicts["b"] = judgement(Verdict.FAILED, "too slow")
    three.settle()
    three.verdict = Verdict.FAILED
    three.settle()
    assert three.stands[:2] == (Phase.ABORTED, Step.GRACE)
    assert three.rollout.reason.startswith("a: stage 1 failed")
    assert three.weights == {"docs_1": 100}
    three.pass_time(DAY_S)
    assert three.collections == {"docs_1"}
    three.do(Verb.RETRY)
    assert isinstance(three.settle(), Build)
    assert not any(each.out for each in three.rollout.candidates)


def test_what_a_policy_says_of_inconclusive_ones_is_done_to_them_alone(three: SimulatedWorld) -> None:
    world = SimulatedWorld(spec_with(policy=RolloutPolicy(on_inconclusive="abort")), (A, B, C))
    world.to_first_stage()
    world.verdict = Verdict.SUCCESSFUL
    world.verdicts["c"] = judgement(Verdict.INCONCLUSIVE)
    world.pass_time(14 * DAY_S)
    assert world.stands[:2] == (Phase.HEALTHY, Step.GRACE)
    assert [bool(each.out) for each in world.rollout.candidates] == [False, False, True]


def decided(world: SimulatedWorld) -> SimulatedWorld:
    world.to_first_stage()
    world.verdicts = {
        "a": measured("ndcg@10", -0.02, 0.03),
        "b": measured("ndcg@10", -0.09, -0.01),
        "c": measured("ndcg@10", -0.01, 0.02),
    }
    world.pass_time(DAY_S)
    return world


def test_it_ends_with_a_decision_and_promotes_nothing(three: SimulatedWorld) -> None:
    decided(three)
    assert three.stands[:2] == (Phase.HEALTHY, Step.GRACE)
    assert three.weights == {"docs_1": 100}
    decision = three.rollout.decision
    assert decision is not None
    assert (decision.better, decision.metric) == ("b", "ndcg@10")
    assert decision.reason == "b is surely better than stable by ndcg@10: by 0.01 to 0.09"
    assert [finding.variant for finding in decision.findings] == ["a", "b", "c"]
    assert set(three.route.plan.written) == three.collections, "whichever is promoted has lost nothing"


@pytest.mark.parametrize("variant", ["", "c"])
def test_the_one_decided_for_or_the_one_that_is_named_is_promoted(three: SimulatedWorld, variant: str) -> None:
    decided(three)
    three.do(Verb.PROMOTE_FULL, "as decided", variant=variant)
    three.settle()
    chosen = f"docs_{variant or 'b'}"
    assert three.weights == {chosen: 100}
    assert three.route.plan.followers == ("docs_1",)
    assert three.route.plan.mirror == Mirror({variant or "b": "docs_1"}, 100, as_stable=True)
    assert three.rollout.reason == f"variant {variant or 'b'} serves all traffic"
    three.pass_time(300)
    three.pass_time(DAY_S)
    assert three.collections == {chosen}
    assert three.stands[:2] == (Phase.HEALTHY, Step.DONE)


def test_what_was_promoted_can_be_undone_and_then_all_variants_go(three: SimulatedWorld) -> None:
    decided(three)
    three.do(Verb.PROMOTE_FULL, "as decided")
    three.settle()
    three.do(Verb.UNDO, "customers complain")
    three.settle()
    assert three.weights == {"docs_1": 100}
    three.pass_time(DAY_S)
    assert three.collections == {"docs_1"}


def test_only_what_takes_part_is_promoted(three: SimulatedWorld) -> None:
    three.to_first_stage()
    three.verdicts["b"] = judgement(Verdict.FAILED)
    three.settle()
    for variant, why in (("b", "'b' takes no part"), ("z", "'z' takes no part"), ("", "none was decided for")):
        with pytest.raises(InvalidInput, match=f"variant: {why}; name one of a, c"):
            three.do(Verb.PROMOTE_FULL, "hurry", variant=variant)
    with pytest.raises(InvalidInput, match="variant: pause is about all of them"):
        three.do(Verb.PAUSE, variant="a")


def test_mirrored_queries_go_to_those_that_take_part(three: SimulatedWorld) -> None:
    stages = (replace(three.rollout.spec.stages[0], mirror_percent=10),)
    world = SimulatedWorld(replace(three.rollout.spec, stages=stages), (A, B, C))
    world.to_first_stage()
    world.verdicts["a"] = judgement(Verdict.FAILED)
    world.settle()
    assert world.route.plan.mirror == Mirror({"b": "docs_b", "c": "docs_c"}, 10)


def test_without_grace_it_may_be_promoted_as_long_as_the_alias_has_no_other_rollout(three: SimulatedWorld) -> None:
    world = decided(SimulatedWorld(spec_with(grace_s=None), (A, B, C)))
    assert world.stands[:2] == (Phase.HEALTHY, Step.DONE)
    world.do(Verb.PROMOTE_FULL, "as decided")
    world.settle()
    assert world.weights == {"docs_b": 100}


WORSE = measured("ndcg@10", 0.02, 0.09, Verdict.FAILED)


@pytest.mark.parametrize(
    ("judgements", "better", "reason"),
    [
        ({}, "", "nothing was observed that tells better from worse"),
        ({"a": measured("churn", -1, -0.5)}, "", "nothing was observed that tells better from worse"),
        ({"a": measured("ndcg@10", -0.1, 0.1), "b": WORSE}, "", "no difference was shown by ndcg@10"),
        ({"a": WORSE, "b": WORSE}, "stable", "stable is surely better than every other by ndcg@10"),
        (
            {"a": measured("ndcg@10", -0.2, -0.1), "b": measured("ndcg@10", -0.3, -0.1)},
            "b",
            "b is surely better than stable by ndcg@10: by 0.1 to 0.3; so is a, and between the two no difference was shown",
        ),
        (
            {"a": measured("ndcg@10", -0.2, -0.1), "b": measured("ndcg@10", -0.5, -0.3)},
            "b",
            "b is surely better than stable by ndcg@10: by 0.3 to 0.5; so is a, surely less",
        ),
    ],
)
def test_what_is_sure_is_decided(judgements: dict[str, Judgement], better: str, reason: str) -> None:
    decision = decide((A, B), judgements)
    assert (decision.better, decision.reason) == (better, reason)


def test_users_decide_before_figures_unless_the_spec_says_otherwise() -> None:
    both = Judgement(
        Verdict.SUCCESSFUL,
        "",
        (*measured("latency_p50", -0.5, -0.4).metrics, *measured("preference", -0.1, 0.1).metrics),
        SPLIT,
    )
    assert decide((A,), {"a": both}).metric == "preference"
    assert decide((A,), {"a": both}, by="latency_p50").better == "a"


def test_one_that_was_taken_out_is_not_decided_for() -> None:
    out = replace(A, out="stage 1 failed: error_rate")
    decision = decide((out, B), {"a": measured("ndcg@10", -0.3, -0.2), "b": measured("ndcg@10", -0.1, 0.1)})
    assert decision.better == ""
    assert decision.findings[0].reason == out.out


def test_nothing_is_decided_from_traffic_that_was_not_split_as_the_route_said() -> None:
    better, worse = measured("empty_rate", -0.3, -0.2), measured("empty_rate", 0.2, 0.3)
    unfair = replace(SPLIT, verdict=Verdict.INCONCLUSIVE)
    for judged in (better, worse):
        decision = decide((A,), {"a": replace(judged, split=unfair)}, by="empty_rate")
        assert (decision.better, decision.reason) == ("", "no difference was shown by empty_rate")
