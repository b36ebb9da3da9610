"""What is watched in a rollout and what a judge says about it, with the reason in words. How it is tested is the judge's."""

from enum import StrEnum
from typing import Literal

import msgspec

from vectis.domain.evidence import ShadowPair
from vectis.domain.shapes import Shape


class Verdict(StrEnum):
    """Argo Rollouts' four. Too few samples are inconclusive, no samples an error; neither is ever a success."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


MetricName = Literal[
    "error_rate",
    "empty_rate",
    "degraded_rate",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "latency_paired",
    "payload",
    "exact_recall",
    "churn",
    "rank_churn",
    "ndcg@10",
    "recall@10",
    "preference",
]
"""Rates and latencies are of live traffic, `latency_paired`, `exact_recall` and the churns of shadow pairs, `ndcg@10` and
`recall@10` of judged queries, `preference` of interleaving or ratings."""


class Metric(Shape, frozen=True):
    """One thing that is watched. Worsening is candidate minus stable where less is better, stable minus candidate elsewhere;
    relative for latency, a share of the answers for churn, absolute for all others.

    It fails when the worsening is surely more than `margin`, and is successful when it is surely less than `tolerance`;
    between the two either may happen. `at_least` is the least churn that a change must bring to be the one that was meant.
    """

    name: MetricName
    margin: float
    tolerance: float
    samples_min: int = 100
    at_least: float | None = None


class Analysis(Shape, frozen=True):
    """What a stage must show. At most `false_abort_rate` of the rollouts of a harmless candidate are aborted, over all metrics
    and stages together; a metric beyond its tolerance passes a stage with probability `false_pass_rate` at most."""

    metrics: tuple[Metric, ...]
    false_abort_rate: float = 0.01
    false_pass_rate: float = 0.05


class MetricJudgement(msgspec.Struct, frozen=True):
    """One metric explained: `low` and `high` bound the worsening, at the levels of failing and of passing, at any time."""

    name: str
    verdict: Verdict
    reason: str
    test: str
    samples: int = 0
    stable: float | None = None
    candidate: float | None = None
    worsening: float | None = None
    low: float | None = None
    high: float | None = None


KNOWN = "comparison of two figures"


def known_figures(
    name: str, verdict: Verdict, reason: str, *, samples: int, stable: float, candidate: float, worsening: float
) -> MetricJudgement:
    """Of figures that are known and not sampled: the bounds of the worsening are the worsening."""
    return MetricJudgement(
        name, verdict, reason, KNOWN, samples, stable, candidate, worsening, low=worsening, high=worsening
    )


class Judgement(msgspec.Struct, frozen=True):
    """The verdict on a stage so far, with each metric's and, as `split`, whether the traffic was split as the route said.

    `different` are the mirrored queries whose answers differ most, most different first.
    """

    verdict: Verdict
    reason: str
    metrics: tuple[MetricJudgement, ...]
    split: MetricJudgement
    different: tuple[ShadowPair, ...] = ()


class VariantFinding(msgspec.Struct, frozen=True):
    """What was found of one variant: the verdict on it and why, and the deciding metric as it was judged last, if it was."""

    variant: str
    verdict: Verdict
    reason: str
    judged: MetricJudgement | None


class RolloutDecision(msgspec.Struct, frozen=True):
    """Which variant is better by `metric`: the stable one if every other is surely worse, empty if no difference was shown."""

    better: str
    metric: str
    reason: str
    findings: tuple[VariantFinding, ...]
