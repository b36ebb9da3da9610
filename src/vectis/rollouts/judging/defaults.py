"""What is watched unless a rollout says otherwise: guardrails always, and the quality that its kind of change can harm."""

from vectis.domain.judgements import Analysis, Metric
from vectis.domain.rollouts import ChangeKind

GUARDRAILS = (
    Metric("empty_rate", margin=0.01, tolerance=0.03),
    Metric("degraded_rate", margin=0.01, tolerance=0.03),
    Metric("latency_p50", margin=0.10, tolerance=0.20),
    Metric("latency_p95", margin=0.10, tolerance=0.25),
    Metric("latency_p99", margin=0.25, tolerance=1.00),
    Metric("memory", margin=0.50, tolerance=0.50),
)
"""Relative to the stable variant at the same time. Errors come first; each stage says how many more it bears."""

_JUDGED = (Metric("ndcg@10", margin=0.01, tolerance=0.025), Metric("recall@10", margin=0.01, tolerance=0.025))

QUALITY: dict[ChangeKind, tuple[Metric, ...]] = {
    ChangeKind.INDEX_CONFIG: (
        Metric("exact_recall", margin=0.01, tolerance=0.02),
        Metric("churn", margin=0.10, tolerance=0.15),
    ),
    ChangeKind.REFRESH: (
        Metric("churn", margin=0.50, tolerance=0.60),
        Metric("payload", margin=0.10, tolerance=0.10),
    ),
    ChangeKind.REEMBED: _JUDGED,
    ChangeKind.SEARCH_CONFIG: _JUDGED,
}
"""Raw scores are compared nowhere: two models' scores have nothing in common. The churn that a refresh of documents should
bring is for its owner to say; the default only catches a collection that lost half its answers."""


def default_analysis(change: ChangeKind, *, excess_errors: float) -> Analysis:
    """Guardrails and the quality of this kind; a stage is passed when surely fewer than `excess_errors` more fail."""
    errors = Metric("error_rate", margin=min(0.005, excess_errors), tolerance=excess_errors)
    return Analysis((errors, *GUARDRAILS, *QUALITY[change]))
