"""Verdicts and their reasons, from evidence made by hand."""

import msgspec
import numpy as np
import pytest
from rollout_world import latency_counts

from vectis.domain.evidence import Evidence, JudgedPair, ShadowPair, Tick, VariantTick
from vectis.domain.judgements import Analysis, Judgement, Metric, MetricJudgement, Verdict
from vectis.domain.rollouts import ChangeKind, Stage
from vectis.rollouts.judging.defaults import PAIRED, stage_analysis
from vectis.rollouts.judging.judge import judge, queries_to_pass

ERRORS = Metric("error_rate", margin=0.005, tolerance=0.01)
QUARTER = Stage(25, duration_s=60, excess_errors=0.02, mirror_percent=0)


def _ticks(
    count: int, *, errors: float = 0.0, share: float = 25.0, slower: float = 1.0, seed: int = 3
) -> tuple[Tick, ...]:
    rng = np.random.default_rng(seed)

    def variant(queries: int, more: float, factor: float) -> VariantTick:
        return VariantTick(
            queries=queries,
            errors=int(rng.binomial(queries, 0.001 + more)),
            empty=int(rng.binomial(queries, 0.02)),
            latency=latency_counts(rng.lognormal(2.3, 0.5, queries) * factor),
            keys=queries,
        )

    return tuple(
        Tick(variant(300, 0.0, 1.0), variant(round(300 * share / (100 - share)), errors, slower), share)
        for _ in range(count)
    )


def _judge(evidence: Evidence, *metrics: Metric) -> tuple[Judgement, MetricJudgement]:
    judgement = judge(evidence, Analysis(metrics), stages=3)
    return judgement, judgement.metrics[0]


def test_a_harmless_candidate_is_successful_once_that_is_sure() -> None:
    judgement = judge(
        Evidence(ticks=_ticks(60), judged=_judged(600, lower=0.0)),
        stage_analysis(ChangeKind.REEMBED, QUARTER),
        stages=3,
    )
    assert judgement.verdict is Verdict.SUCCESSFUL, judgement.reason
    for metric in judgement.metrics:
        assert metric.samples > 0
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= 1e-9 + metric.high


def test_no_data_is_an_error() -> None:
    judgement = judge(Evidence(), stage_analysis(ChangeKind.INDEX_CONFIG, QUARTER), stages=3)
    assert judgement.verdict is Verdict.ERROR
    assert {metric.verdict for metric in judgement.metrics} == {Verdict.ERROR}


def test_a_metric_without_data_is_an_error_although_the_others_are_fine() -> None:
    judgement, _ = _judge(Evidence(ticks=_ticks(60)), ERRORS, Metric("ndcg@10", margin=0.01, tolerance=0.02))
    assert [metric.verdict for metric in judgement.metrics] == [Verdict.SUCCESSFUL, Verdict.ERROR]
    assert judgement.verdict is Verdict.ERROR
    assert "ndcg@10: nothing was observed" in judgement.reason


@pytest.mark.parametrize(("tolerance", "samples_min"), [(0.025, 100), (0.05, 1), (0.2, 100)])
def test_what_a_harmless_candidate_needs_of_judged_queries_is_what_the_judge_needs(
    tolerance: float, samples_min: int
) -> None:
    metric = Metric("ndcg@10", margin=0.01, tolerance=tolerance, samples_min=samples_min)
    needed = queries_to_pass(metric, Analysis((metric,)), most=1000)
    assert needed is not None
    for queries, verdict in ((needed - 1, Verdict.INCONCLUSIVE), (needed, Verdict.SUCCESSFUL)):
        alike = (JudgedPair("q", {"ndcg@10": 0.7}, {"ndcg@10": 0.7}),) * queries
        assert _judge(Evidence(judged=alike), metric)[1].verdict is verdict
    assert queries_to_pass(metric, Analysis((metric,)), most=needed - 1) is None


def test_too_few_samples_are_waiting_however_good_they_are() -> None:
    few = msgspec.structs.replace(ERRORS, tolerance=0.5, samples_min=1000)
    judgement, metric = _judge(Evidence(ticks=_ticks(3)), few)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert metric.reason == "waiting for samples: 300 of 1000"


def test_more_errors_fail_and_the_bounds_say_why() -> None:
    judgement, metric = _judge(Evidence(ticks=_ticks(40, errors=0.03)), ERRORS)
    assert judgement.verdict is Verdict.FAILED
    assert metric.low is not None
    assert metric.high is not None
    assert 0.005 < metric.low < 0.03 < metric.high
    assert "surely more than 0.005" in metric.reason


def test_a_failure_needs_no_minimum_of_samples() -> None:
    metric = msgspec.structs.replace(ERRORS, samples_min=100_000)
    assert _judge(Evidence(ticks=_ticks(2, errors=0.9)), metric)[0].verdict is Verdict.FAILED


def test_a_slower_candidate_fails_at_every_quantile() -> None:
    names = ("latency_p50", "latency_p95", "latency_p99")
    metrics = [Metric(name, margin=0.10, tolerance=0.2) for name in names]
    judgement = judge(Evidence(ticks=_ticks(200, slower=1.5)), Analysis(tuple(metrics)), stages=3)
    for metric in judgement.metrics:
        assert metric.verdict is Verdict.FAILED
        assert metric.low is not None
        assert metric.high is not None
        assert 0.1 < metric.low < 0.5 < metric.high + 0.01


def test_a_large_sample_does_not_fail_on_a_trifle() -> None:
    trifle = _ticks(200, errors=0.002, slower=1.04)
    metrics = ERRORS, Metric("latency_p50", margin=0.10, tolerance=0.2)
    judgement, _ = _judge(Evidence(ticks=trifle), *metrics)
    assert judgement.verdict is Verdict.SUCCESSFUL, judgement.reason


def test_an_unfair_split_is_inconclusive_and_does_not_hide_a_failure() -> None:
    lost = tuple(msgspec.structs.replace(tick, candidate_percent=30.0) for tick in _ticks(60))
    judgement, _ = _judge(Evidence(ticks=lost), ERRORS)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.split.verdict is Verdict.INCONCLUSIVE
    assert "25.00% of the routing keys went to the candidate, the route says 30.00%" in judgement.reason
    worse = tuple(msgspec.structs.replace(tick, candidate_percent=30.0) for tick in _ticks(60, errors=0.05))
    assert _judge(Evidence(ticks=worse), ERRORS)[0].verdict is Verdict.FAILED


def test_without_routing_keys_nobody_knows_the_split() -> None:
    blind = tuple(
        msgspec.structs.replace(
            tick,
            stable=msgspec.structs.replace(tick.stable, keys=0),
            candidate=msgspec.structs.replace(tick.candidate, keys=0),
        )
        for tick in _ticks(60)
    )
    assert _judge(Evidence(ticks=blind), ERRORS)[0].verdict is Verdict.ERROR


def _judged(count: int, *, lower: float) -> tuple[JudgedPair, ...]:
    rng = np.random.default_rng(8)
    stable = rng.beta(3, 1.5, count)
    candidate = np.clip(stable + rng.normal(0, 0.1, count) * (stable < 0.9) - lower, 0, 1)
    return tuple(
        JudgedPair(str(i), {"ndcg@10": s, "recall@10": s}, {"ndcg@10": c, "recall@10": c})
        for i, (s, c) in enumerate(zip(stable.tolist(), candidate.tolist(), strict=True))
    )


def test_worse_answers_to_judged_queries_fail() -> None:
    metric = Metric("ndcg@10", margin=0.01, tolerance=0.025)
    assert _judge(Evidence(judged=_judged(600, lower=0.06)), metric)[0].verdict is Verdict.FAILED
    few = _judge(Evidence(judged=_judged(50, lower=0.02)), metric)[1]
    assert few.verdict is Verdict.INCONCLUSIVE


def _pairs(count: int, changed: int, *, slower: float = 1.0, exact: bool = True) -> tuple[ShadowPair, ...]:
    """The candidate gives `changed` of ten answers away; exact search agrees with the stable variant."""
    answer = tuple(str(rank) for rank in range(10))
    other = answer[: 10 - changed] + tuple("abcdefghij"[:changed])
    return tuple(
        ShadowPair(
            f"q{i}", answer, other if i % 2 else answer, 5.0 + i % 3, (5.0 + i % 3) * slower, answer if exact else None
        )
        for i in range(count)
    )


@pytest.mark.parametrize(("changed", "verdict"), [(0, Verdict.SUCCESSFUL), (5, Verdict.FAILED)])
def test_another_index_must_find_what_exact_search_finds(changed: int, verdict: Verdict) -> None:
    judgement = judge(Evidence(pairs=_pairs(2000, changed)), Analysis(PAIRED[ChangeKind.INDEX_CONFIG]), stages=3)
    assert [metric.verdict for metric in judgement.metrics] == [verdict, verdict]


def test_a_refresh_changes_as_much_as_was_expected() -> None:
    expected = Metric("churn", margin=0.4, tolerance=0.4, at_least=0.1)
    for changed, verdict in ((0, Verdict.FAILED), (4, Verdict.SUCCESSFUL), (10, Verdict.FAILED)):
        assert _judge(Evidence(pairs=_pairs(600, changed)), expected)[0].verdict is verdict
    unchanged = _judge(Evidence(pairs=_pairs(600, 0)), expected)[1]
    assert "surely less than 0.1" in unchanged.reason
    turned = Metric("rank_churn", margin=0.05, tolerance=0.1)
    assert _judge(Evidence(pairs=_pairs(600, 5)), turned)[0].verdict is Verdict.FAILED


def test_pairs_tell_slowness_from_few_queries() -> None:
    metric = Metric("latency_paired", margin=0.10, tolerance=0.25)
    assert _judge(Evidence(pairs=_pairs(150, 0, slower=1.5)), metric)[0].verdict is Verdict.FAILED
    assert _judge(Evidence(pairs=_pairs(150, 0, slower=1.05)), metric)[0].verdict is Verdict.SUCCESSFUL


def test_users_who_prefer_the_stable_variant_fail_the_candidate() -> None:
    metric = Metric("preference", margin=0.02, tolerance=0.05)
    assert _judge(Evidence(preferences=(0.0, 0.5, 0.0) * 100), metric)[0].verdict is Verdict.FAILED
    assert _judge(Evidence(preferences=(1.0, 0.5, 0.5) * 100), metric)[0].verdict is Verdict.SUCCESSFUL


def test_figures_are_compared_as_they_are() -> None:
    payload = Metric("payload", margin=0.1, tolerance=0.1)
    judged = _judge(Evidence(payload={"title": (1.0, 0.99), "year": (0.8, 0.3)}), payload)[1]
    assert (judged.verdict, judged.stable, judged.candidate) == (Verdict.FAILED, 0.8, 0.3)
