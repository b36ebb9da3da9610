"""What is watched unless a rollout says otherwise: what the stage can show of guardrails, and of the quality that its kind of
change can harm."""

from vectis.domain.judgements import Analysis, Metric, MetricName
from vectis.domain.rollouts import ChangeKind, Stage

GUARDRAILS = (
    Metric("empty_rate", margin=0.01, tolerance=0.03),
    Metric("degraded_rate", margin=0.01, tolerance=0.03),
    Metric("latency_p50", margin=0.10, tolerance=0.20),
    Metric("latency_p95", margin=0.10, tolerance=0.25),
    Metric("latency_p99", margin=0.25, tolerance=1.00),
)
"""Of live traffic, relative to the stable variant at the same time. Errors come first; each stage says how many more it bears."""

OF_PAIRS: frozenset[MetricName] = frozenset({"latency_paired", "exact_recall", "churn", "rank_churn"})
"""What mirrored queries show."""

LATENCY_OF_PAIRS = Metric("latency_paired", margin=0.10, tolerance=0.20)

PREFERENCE = Metric("preference", margin=0.05, tolerance=0.10)
"""Of answers that were mixed of both, by what their users did: a harmless candidate wins half of those that are decided."""

_LOST = Metric("churn", margin=0.90, tolerance=0.95)
"""Other vectors may well give other answers. Hardly any in common has only a candidate that finds nothing, or fails."""

PAIRED: dict[ChangeKind, tuple[Metric, ...]] = {
    ChangeKind.INDEX_CONFIG: (
        Metric("exact_recall", margin=0.01, tolerance=0.02),
        Metric("churn", margin=0.10, tolerance=0.15),
    ),
    ChangeKind.REFRESH: (Metric("churn", margin=0.50, tolerance=0.60),),
    ChangeKind.REEMBED: (_LOST,),
    ChangeKind.SEARCH_CONFIG: (_LOST,),
}
"""Raw scores are compared nowhere: two models' scores have nothing in common. The churn that a refresh of documents should
bring is for its owner to say; the default only catches a collection that lost half its answers."""

_JUDGED = (Metric("ndcg@10", margin=0.01, tolerance=0.025), Metric("recall@10", margin=0.01, tolerance=0.025))

KNOWN: dict[ChangeKind, tuple[Metric, ...]] = {
    ChangeKind.INDEX_CONFIG: (),
    ChangeKind.REFRESH: (Metric("payload", margin=0.10, tolerance=0.10),),
    ChangeKind.REEMBED: _JUDGED,
    ChangeKind.SEARCH_CONFIG: _JUDGED,
}
"""What is asked of both collections themselves, whatever the traffic."""


def stage_analysis(change: ChangeKind, stage: Stage, *, has_judged: bool = True) -> Analysis:
    """Guardrails where the traffic is split, pairs where queries are mirrored, preference where answers are mixed of both, and
    what is asked of the collections.

    A stage is passed when surely fewer than its `excess_errors` more fail. Where users say what they prefer, judged queries are
    only asked when there are some (`has_judged`).
    """
    metrics: tuple[Metric, ...] = ()
    if 0 < stage.weight_percent < 100:
        margin = min(0.005, stage.excess_errors)
        metrics = (Metric("error_rate", margin=margin, tolerance=stage.excess_errors), *GUARDRAILS)
    if stage.mirror_percent > 0:
        metrics = (*metrics, LATENCY_OF_PAIRS, *PAIRED[change])
    known = KNOWN[change]
    if stage.interleave_percent > 0:
        metrics = (*metrics, PREFERENCE)
        known = tuple(metric for metric in known if has_judged or metric not in _JUDGED)
    return Analysis((*metrics, *known))


def watch_analysis(change: ChangeKind) -> Analysis:
    """What mirrored queries show: all else was known before the candidate was promoted."""
    return Analysis((LATENCY_OF_PAIRS, *PAIRED[change]))
