"""Which variant is better, when all that shall be observed was observed. What is sure is read from the judgements. Pure."""

from collections.abc import Mapping, Sequence

from vectis.domain.judgements import Judgement, MetricJudgement, MetricName, RolloutDecision, VariantFinding, Verdict
from vectis.domain.rollouts import Candidate
from vectis.domain.routes import STABLE

DECIDING: tuple[MetricName, ...] = (
    "preference",
    "ndcg@10",
    "recall@10",
    "exact_recall",
    "latency_p50",
    "latency_paired",
)
"""What tells better from worse, the first that was judged decides: users, then what is known to be right, then time. Guardrails
and churn tell harmless from harmful only."""


def decide(
    candidates: Sequence[Candidate], judgements: Mapping[str, Judgement], *, by: MetricName | None = None
) -> RolloutDecision:
    """What the last judgements, by variant, say about all variants; `by` None: the first of DECIDING that was observed.

    Better is a variant that takes part still and is surely less than 0 worse than the stable one: of several the one that is
    better by most. The bounds are those of the judgements, made at levels that are shared by all variants. Where the traffic was
    not split as the route said, nothing is sure.
    """
    observed = {metric.name for each in judgements.values() for metric in each.metrics if metric.samples}
    metric = by or next((name for name in DECIDING if name in observed), "")
    findings = tuple(_finding(each, judgements.get(each.variant), metric) for each in candidates)
    judged = {each.variant: each.judged for each in findings if each.judged is not None}
    if not judged:
        return RolloutDecision("", metric, "nothing was observed that tells better from worse", findings)
    comparable = [name for name in judged if judgements[name].split.verdict is Verdict.SUCCESSFUL]
    running = {each.variant for each in candidates if not each.out}
    better = sorted(
        (name for name in comparable if name in running and _high(judged[name]) < 0),
        key=lambda name: judged[name].worsening or 0.0,
    )
    if better:
        return RolloutDecision(better[0], metric, _why(metric, better, judged), findings)
    if len(comparable) == len(findings) and all(_low(judged[name]) > 0 for name in comparable):
        return RolloutDecision(STABLE, metric, f"{STABLE} is surely better than every other by {metric}", findings)
    return RolloutDecision("", metric, f"no difference was shown by {metric}", findings)


def _finding(candidate: Candidate, judgement: Judgement | None, metric: str) -> VariantFinding:
    if judgement is None:
        return VariantFinding(candidate.variant, Verdict.ERROR, candidate.out or "nobody judged", None)
    judged = next((each for each in judgement.metrics if each.name == metric and each.samples), None)
    return VariantFinding(candidate.variant, judgement.verdict, candidate.out or judgement.reason, judged)


def _why(metric: str, better: Sequence[str], judged: Mapping[str, MetricJudgement]) -> str:
    best, *others = better
    found = judged[best]
    why = f"{best} is surely better than {STABLE} by {metric}: by {-_high(found):.3g} to {-_low(found):.3g}"
    for other in others:
        less = "surely less" if _high(found) < _low(judged[other]) else "and between the two no difference was shown"
        why += f"; so is {other}, {less}"
    return why


def _low(judged: MetricJudgement) -> float:
    return float("-inf") if judged.low is None else judged.low


def _high(judged: MetricJudgement) -> float:
    return float("inf") if judged.high is None else judged.high
