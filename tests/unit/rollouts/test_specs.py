"""Specs that make no sense are refused with the field that is wrong."""

import pytest
from msgspec.structs import replace
from rollout_world import spec_of

from vectis.domain.errors import InvalidInput
from vectis.domain.judgements import Metric
from vectis.domain.rollouts import ChangeKind, Hook, KnownAnswer, RolloutPolicy, Stage, Strategy, Validation
from vectis.rollouts.judged_queries import JUDGED_METRICS
from vectis.rollouts.judging.defaults import OF_PAIRS, PREFERENCE
from vectis.rollouts.specs import analysis_of, check_spec, warnings_of
from vectis.rollouts.strategies import CANARY_STAGES, default_spec

HALF = Stage(weight_percent=50, duration_s=60)
MIXED = replace(HALF, interleave_percent=20)


def test_the_defaults_make_sense() -> None:
    for strategy in Strategy:
        for change in ChangeKind:
            check_spec(default_spec("docs", strategy, change))


@pytest.mark.parametrize(
    ("strategy", "changes", "field"),
    [
        (Strategy.CANARY, {"stages": ()}, "stages"),
        (Strategy.CANARY, {"stages": (HALF, CANARY_STAGES[0])}, "stages"),
        (Strategy.CANARY, {"stages": (CANARY_STAGES[-1],)}, "stages"),
        (Strategy.CANARY, {"stages": (replace(HALF, weight_percent=101),)}, "stages[0].weight_percent"),
        (Strategy.CANARY, {"stages": (replace(HALF, weight_percent=0.001),)}, "stages[0].weight_percent"),
        (Strategy.CANARY, {"stages": (HALF, replace(HALF, duration_s=-1))}, "stages[1].duration_s"),
        (Strategy.CANARY, {"stages": (replace(HALF, duration_max_s=0),)}, "stages[0].duration_max_s"),
        (Strategy.CANARY, {"stages": (replace(HALF, excess_errors=0),)}, "stages[0].excess_errors"),
        (Strategy.CANARY, {"stages": (replace(MIXED, interleave_percent=101),)}, "stages[0].interleave_percent"),
        (Strategy.CANARY, {"stages": (HALF, replace(MIXED, weight_percent=100))}, "stages[1].interleave_percent"),
        (Strategy.CANARY, {"stages": (MIXED,), "change": ChangeKind.REFRESH}, "stages[0].interleave_percent"),
        (Strategy.CANARY, {"stages": (replace(MIXED, interleave_percent=100),)}, "stages[0].interleave_percent"),
        (
            Strategy.SHADOW,
            {"stages": (replace(MIXED, weight_percent=0, mirror_percent=1),)},
            "stages[0].interleave_percent",
        ),
        (Strategy.CANARY, {"metrics": ()}, "metrics"),
        (Strategy.CANARY, {"metrics": (Metric("churn", margin=0.2, tolerance=0.1),)}, "metrics[0].margin"),
        (Strategy.CANARY, {"metrics": (Metric("churn", 0.1, 0.2, samples_min=0),)}, "metrics[0].samples_min"),
        (Strategy.CANARY, {"watch_s": -1}, "watch_s"),
        (Strategy.CANARY, {"grace_s": -1}, "grace_s"),
        (Strategy.CANARY, {"policy": RolloutPolicy(extensions_max=-1)}, "policy.extensions_max"),
        (Strategy.CANARY, {"hooks": (Hook("ftp://x"),)}, "hooks[0].url"),
        (Strategy.CANARY, {"hooks": (Hook("http://x", timeout_s=0),)}, "hooks[0].timeout_s"),
        (Strategy.BLUE_GREEN, {"stages": (HALF,)}, "stages"),
        (Strategy.BLUE_GREEN, {"promotes": False}, "promotes"),
        (Strategy.SHADOW, {"stages": (HALF,)}, "stages"),
        (Strategy.EXPERIMENT, {"stages": CANARY_STAGES}, "stages"),
        (Strategy.EXPERIMENT, {"decides_by": "preference"}, "decides_by"),
        (Strategy.CANARY, {"decides_by": "ndcg@10"}, "decides_by"),
    ],
)
def test_what_makes_no_sense_is_refused(strategy: Strategy, changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_spec(replace(spec_of(strategy), **changes))
    assert refused.value.fields["field"] == field


def test_a_stage_bears_its_errors_and_own_metrics_replace_the_defaults() -> None:
    spec = spec_of(Strategy.CANARY)
    for stage in spec.stages[:-1]:
        errors = analysis_of(spec, stage).metrics[0]
        assert (errors.name, errors.tolerance) == ("error_rate", stage.excess_errors)
    own = (Metric("latency_p95", margin=0.1, tolerance=0.2), Metric("churn", margin=0.1, tolerance=0.2))
    assert analysis_of(replace(spec, metrics=own), HALF).metrics == own
    assert analysis_of(replace(spec, metrics=own), None).metrics == own[1:]


@pytest.mark.parametrize("change", ChangeKind)
@pytest.mark.parametrize("strategy", [Strategy.CANARY, Strategy.SHADOW, Strategy.EXPERIMENT])
def test_the_defaults_ask_for_what_each_stage_can_show(strategy: Strategy, change: ChangeKind) -> None:
    spec = default_spec("docs", strategy, change)
    for stage in spec.stages:
        names = {metric.name for metric in analysis_of(spec, stage).metrics}
        split, mirrored = 0 < stage.weight_percent < 100, stage.mirror_percent > 0
        assert bool(names) == stage.is_judged
        assert ("error_rate" in names) == ("latency_p95" in names) == split
        assert bool(names & OF_PAIRS) == mirrored
        if change in (ChangeKind.INDEX_CONFIG, ChangeKind.REFRESH):
            assert mirrored == stage.is_judged, "its quality shows in pairs"
        elif stage.is_judged:
            assert {"ndcg@10", "recall@10"} <= names
    assert {metric.name for metric in analysis_of(spec, None).metrics} <= OF_PAIRS


def test_too_few_judged_queries_are_told_beforehand() -> None:
    spec = spec_of(Strategy.CANARY)
    (warning,) = warnings_of(spec)
    assert warning.startswith(
        "validation.judged: 0 queries. It takes 205 at least to be sure within a tolerance of 0.025"
    )
    assert "ndcg@10, recall@10" in warning
    enough = Validation(judged=tuple(KnownAnswer(f"query {number}", {"a": 1}) for number in range(205)))
    assert warnings_of(replace(spec, validation=enough)) == ()
    assert len(warnings_of(replace(spec, validation=Validation(judged=enough.judged[1:])))) == 1
    assert warnings_of(default_spec("docs", Strategy.CANARY, ChangeKind.REFRESH)) == (), "nothing judged is asked for"
    assert warnings_of(spec_of(Strategy.BLUE_GREEN)) == (), "it has no stages"
    own = (Metric("ndcg@10", 0.0, 0.001), Metric("recall@10", 0.01, 0.5))
    (warning,) = warnings_of(replace(spec, metrics=own, validation=enough))
    assert warning.startswith("validation.judged: 205 queries. It takes more than 1000 to be sure")


def test_a_stage_that_mixes_answers_is_judged_by_what_users_prefer() -> None:
    spec = replace(spec_of(Strategy.EXPERIMENT), stages=(MIXED,))
    check_spec(spec)
    names = {metric.name for metric in analysis_of(spec, MIXED).metrics}
    assert "preference" in names
    assert not names.intersection(JUDGED_METRICS), "users say what they prefer, and nobody judged anything"
    assert warnings_of(spec) == ()
    few = replace(spec, validation=Validation(judged=(KnownAnswer("query", {"a": 1}),)))
    assert {metric.name for metric in analysis_of(few, MIXED).metrics} >= {"preference", *JUDGED_METRICS}
    assert len(warnings_of(few)) == 1
    assert "preference" not in {metric.name for metric in analysis_of(spec, HALF).metrics}
    check_spec(replace(spec, stages=(replace(MIXED, interleave_percent=100),), metrics=(PREFERENCE,)))
