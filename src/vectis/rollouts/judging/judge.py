"""From evidence to a judgement: how sure one must be, what each bet says, and the reason in words. The clock is not asked."""

import math
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from vectis.domain.evidence import Evidence, JudgedPair, ShadowPair
from vectis.domain.judgements import (
    KNOWN,
    Analysis,
    Judgement,
    Metric,
    MetricJudgement,
    MetricName,
    Verdict,
    known_figures,
)
from vectis.rollouts.judging.betting import Side, best, bet_on_split, farthest_rejected
from vectis.rollouts.judging.games import Game, query_games, traffic_games
from vectis.rollouts.judging.rankings import most_different
from vectis.rollouts.judging.series import Series, series_of

DIFFERENT_SHOWN = 5

FALSE_SPLIT_RATE = 0.001
"""How often a fair split may be called unfair."""


def judge(evidence: Evidence, analysis: Analysis, *, stages: int) -> Judgement:
    """The judgement on one stage of a rollout with this many judged stages; may be asked for as often as one likes.

    Failed when any metric failed, whatever the others say: taking a candidate back is the safe side. Otherwise an error
    when any metric has no evidence at all, inconclusive when one is not yet sure or the split is unfair, else successful.
    """
    series = series_of(evidence.ticks)
    games = traffic_games(series) | query_games(evidence)
    certainty = certainty_to_fail(analysis, stages=stages), math.log(1 / analysis.false_pass_rate)
    judged = tuple(_judge_metric(metric, games, evidence, certainty) for metric in analysis.metrics)
    return together(judged, _judge_split(series), different=most_different(evidence.pairs, DIFFERENT_SHOWN))


def shared_among(analysis: Analysis, variants: int) -> Analysis:
    """The analysis of each of so many variants that are held against one stable variant: the rates of all of them together stay
    those of the analysis (Bonferroni)."""
    return replace(
        analysis,
        false_abort_rate=analysis.false_abort_rate / variants,
        false_pass_rate=analysis.false_pass_rate / variants,
    )


def certainty_to_fail(analysis: Analysis, *, stages: int) -> float:
    """The log wealth at which a metric has failed: the rate of false aborts shared equally by every bet of every stage."""
    bets = sum(1 if metric.at_least is None else 2 for metric in analysis.metrics)
    return math.log(bets * stages / analysis.false_abort_rate)


def queries_to_pass(metric: Metric, analysis: Analysis, *, most: int) -> int | None:
    """How many judged queries a metric of them takes until it can pass, while no answer gets better or worse: the fewest that
    a harmless candidate needs. None when `most` are too few."""
    alike = JudgedPair("", {metric.name: 0.0}, {metric.name: 0.0})
    game = query_games(Evidence(judged=(alike,) * most))[metric.name]()
    sure = game.play(metric.tolerance, -1) >= math.log(1 / analysis.false_pass_rate)
    needed = max(metric.samples_min, int(sure.argmax()) + 1)
    return needed if sure.any() and needed <= most else None


def _judge_metric(
    metric: Metric,
    games: dict[MetricName, Callable[[], Game]],
    evidence: Evidence,
    certainty: tuple[float, float],
) -> MetricJudgement:
    if metric.name == "payload":
        return _judge_figures(metric, *_payload(evidence.payload))
    return _judge_game(metric, games[metric.name](), certainty)


def _judge_game(metric: Metric, game: Game, certainty: tuple[float, float]) -> MetricJudgement:
    if game.samples == 0 or math.isnan(game.worsening):
        return MetricJudgement(metric.name, Verdict.ERROR, "nothing was observed", game.test)
    to_fail, to_pass = certainty

    def sure(boundary: float, side: Side, needed: float) -> bool:
        return best(game.play(boundary, side)) >= needed

    low = farthest_rejected(lambda boundary: sure(boundary, 1, to_fail), game.lowest, game.highest)
    high = farthest_rejected(lambda boundary: sure(boundary, -1, to_pass), game.highest, game.lowest)
    failed = sure(metric.margin, 1, to_fail)
    passed = sure(metric.tolerance, -1, to_pass)
    if metric.at_least is not None:
        failed = failed or sure(metric.at_least, -1, to_fail)
        passed = passed and sure(metric.at_least, 1, to_pass)
    verdict = Verdict.FAILED if failed else Verdict.INCONCLUSIVE
    if passed and not failed and game.samples >= metric.samples_min:
        verdict = Verdict.SUCCESSFUL
    return MetricJudgement(
        name=metric.name,
        verdict=verdict,
        reason=_reason(metric, verdict, game.samples, low, high),
        test=game.test,
        samples=game.samples,
        stable=game.stable,
        candidate=game.candidate,
        worsening=game.worsening,
        low=low,
        high=high,
    )


def _judge_figures(metric: Metric, samples: int, stable: float, candidate: float, worsening: float) -> MetricJudgement:
    if samples == 0:
        return MetricJudgement(metric.name, Verdict.ERROR, "nothing was observed", KNOWN)
    verdict = Verdict.FAILED if worsening > metric.margin else Verdict.INCONCLUSIVE
    if verdict is not Verdict.FAILED and worsening < metric.tolerance:
        verdict = Verdict.SUCCESSFUL
    reason = _reason(metric, verdict, metric.samples_min, worsening, worsening)
    return known_figures(
        metric.name, verdict, reason, samples=samples, stable=stable, candidate=candidate, worsening=worsening
    )


def _payload(shares: dict[str, tuple[float, float]]) -> tuple[int, float, float, float]:
    """The key whose share changed most: (keys, stable share, candidate share, absolute difference)."""
    if not shares:
        return 0, math.nan, math.nan, math.nan
    stable, candidate = max(shares.values(), key=lambda pair: abs(pair[1] - pair[0]))
    return len(shares), stable, candidate, abs(candidate - stable)


def _judge_split(series: Series) -> MetricJudgement:
    """Sample-ratio mismatch: are the routing keys shared out as the route says?"""
    name, test = "split", "bet on a share of routing keys"
    share = series.candidate_share
    between = (share > 0) & (share < 1)
    candidate = series.candidate.keys[between]
    keys = candidate + series.stable.keys[between]
    if not between.any():
        return MetricJudgement(name, Verdict.SUCCESSFUL, "the traffic is not split", test)
    if keys.sum() == 0:
        return MetricJudgement(name, Verdict.ERROR, "no routing key was observed", test)
    expected = float((share[between] * keys).sum() / keys.sum())
    observed = float(candidate.sum() / keys.sum())
    unfair = best(bet_on_split(candidate, keys, share[between])) >= math.log(1 / FALSE_SPLIT_RATE)
    shares = f"{observed:.2%} of the routing keys went to the candidate, the route says {expected:.2%}"
    return MetricJudgement(
        name=name,
        verdict=Verdict.INCONCLUSIVE if unfair else Verdict.SUCCESSFUL,
        reason=f"{shares}: the variants cannot be compared, look for lost measurements" if unfair else shares,
        test=test,
        samples=int(keys.sum()),
        stable=expected,
        candidate=observed,
        worsening=observed - expected,
    )


def _reason(metric: Metric, verdict: Verdict, samples: int, low: float, high: float) -> str:
    span = f"worse by {low:.3g} to {high:.3g}" if high - low > 1e-9 else f"worse by {high:.3g}"
    if verdict is Verdict.FAILED:
        too_little = metric.at_least is not None and low <= metric.margin
        limit = f"less than {metric.at_least:.3g}" if too_little else f"more than {metric.margin:.3g}"
        return f"{span}: surely {limit}"
    if verdict is Verdict.SUCCESSFUL:
        return f"{span}: surely less than {metric.tolerance:.3g}"
    if samples < metric.samples_min:
        return f"waiting for samples: {samples} of {metric.samples_min}"
    return f"{span}: neither surely more than {metric.margin:.3g} nor surely less than {metric.tolerance:.3g}"


def together(
    metrics: tuple[MetricJudgement, ...], split: MetricJudgement, *, different: Sequence[ShadowPair] = ()
) -> Judgement:
    """The judgement that these metrics and this split make."""
    verdict, reason = Verdict.SUCCESSFUL, "every metric is surely within its tolerance"
    for worse in (Verdict.FAILED, Verdict.ERROR, Verdict.INCONCLUSIVE):
        # an unfair split never makes a failure, and a failure stands without a fair split
        found = [each for each in (*metrics, split) if each.verdict is worse]
        if found:
            verdict, reason = worse, "; ".join(f"{each.name}: {each.reason}" for each in found)
            break
    return Judgement(verdict, reason, metrics, split, tuple(different))
