"""For each metric the bets on its evidence: what is hit and missed, on which boundary, and both variants' figures."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol

import msgspec
import numpy as np

from vectis.domain.evidence import Evidence, JudgedPair, ShadowPair
from vectis.domain.judgements import MetricName
from vectis.rollouts.judging.betting import Array, Side, bet_on_difference, bet_on_mean
from vectis.rollouts.judging.rankings import overlap_at, rank_biased_overlap, recall_at
from vectis.rollouts.judging.series import Series, VariantSeries, exceedances, latency_quantile_ms, quantile_columns

LATENCY_FLOOR_MS = 1.0
"""A query that takes this much longer is no slower, whatever the ratio; nor is one faster that takes this much less."""

FACTOR_MAX = 8.0
"""Paired latencies count as this many times slower or faster at most, so that one stall cannot outweigh a thousand queries."""

_RATE_GUESS = 0.01


class Play(Protocol):
    """Bets on one side of a boundary of the worsening."""

    def __call__(self, boundary: float, side: Side) -> Array:
        """Log wealth after each look. Shape (looks,)."""
        ...


class Game(msgspec.Struct, frozen=True):
    """A metric ready to be bet on. The worsening lies in [lowest, highest]; `samples` are the candidate's."""

    test: str
    play: Play
    samples: int
    stable: float
    candidate: float
    worsening: float
    lowest: float
    highest: float


def traffic_games(series: Series) -> dict[MetricName, Callable[[], Game]]:
    """The games over live traffic, by metric; each is set up when called."""
    return {
        "error_rate": partial(_rate, series, "errors"),
        "empty_rate": partial(_rate, series, "empty"),
        "degraded_rate": partial(_rate, series, "degraded"),
        "latency_p50": partial(_latency, series, 0.50),
        "latency_p95": partial(_latency, series, 0.95),
        "latency_p99": partial(_latency, series, 0.99),
    }


def query_games(evidence: Evidence) -> dict[MetricName, Callable[[], Game]]:
    """The games over pairs, judged queries and preferences, by metric; each is set up when called."""
    return {
        "latency_paired": partial(_paired_latency, evidence.pairs),
        "exact_recall": partial(_exact_recall, evidence.pairs),
        "churn": partial(_churn, evidence.pairs, overlap_at),
        "rank_churn": partial(_churn, evidence.pairs, rank_biased_overlap),
        "ndcg@10": partial(_judged, evidence.judged, "ndcg@10"),
        "recall@10": partial(_judged, evidence.judged, "recall@10"),
        "preference": partial(_preference, evidence.preferences),
    }


def _rate(series: Series, event: Literal["errors", "empty", "degraded"]) -> Game:
    def counts(variant: VariantSeries) -> tuple[Array, Array]:
        return {"errors": variant.errors, "empty": variant.empty, "degraded": variant.degraded}[event], variant.queries

    stable, candidate = counts(series.stable), counts(series.candidate)

    def play(boundary: float, side: Side) -> Array:
        return bet_on_difference(stable, candidate, boundary=boundary, side=side, rate=_RATE_GUESS)

    rates = [_quotient(float(hits.sum()), float(trials.sum())) for hits, trials in (stable, candidate)]
    return Game(
        test="two-sample bet on a difference of rates",
        play=play,
        samples=int(candidate[1].sum()),
        stable=rates[0],
        candidate=rates[1],
        worsening=rates[1] - rates[0],
        lowest=-1.0,
        highest=1.0,
    )


def _latency(series: Series, quantile: float) -> Game:
    columns = quantile_columns(series, quantile)

    def play(boundary: float, side: Side) -> Array:
        stable, candidate = exceedances(series, columns, slower_by=boundary, floor_ms=LATENCY_FLOOR_MS, side=side)
        return bet_on_difference(stable, candidate, boundary=0.0, side=side, rate=1 - quantile)

    stable_ms = latency_quantile_ms(series, series.stable, quantile)
    candidate_ms = latency_quantile_ms(series, series.candidate, quantile)
    return Game(
        test="two-sample bet on exceeding the stable variant's quantile",
        play=play,
        samples=int(series.candidate.latency_upto[:, -1].sum()),
        stable=stable_ms,
        candidate=candidate_ms,
        worsening=_quotient(candidate_ms, stable_ms) - 1,
        lowest=-0.9,
        highest=9.0,
    )


def _paired_latency(pairs: Sequence[ShadowPair]) -> Game:
    limit = math.log(FACTOR_MAX)
    stable = np.array([pair.stable_ms for pair in pairs], dtype=np.float64)
    candidate = np.array([pair.candidate_ms for pair in pairs], dtype=np.float64)
    logs = np.clip(np.log(np.maximum(candidate, 1e-3) / np.maximum(stable, 1e-3)), -limit, limit)
    logs = np.where(np.abs(candidate - stable) <= LATENCY_FLOOR_MS, 0.0, logs)

    def play(boundary: float, side: Side) -> Array:
        return bet_on_mean(logs, low=-limit, high=limit, boundary=math.log1p(boundary), side=side)

    return Game(
        test="paired bet on the geometric mean of the ratios",
        play=play,
        samples=len(pairs),
        stable=_mean(stable),
        candidate=_mean(candidate),
        worsening=math.expm1(_mean(logs)),
        lowest=1 / FACTOR_MAX - 1,
        highest=FACTOR_MAX - 1,
    )


def _exact_recall(pairs: Sequence[ShadowPair]) -> Game:
    found = [(recall_at(p.stable, p.exact), recall_at(p.candidate, p.exact)) for p in pairs if p.exact is not None]
    return _paired_scores(found)


def _judged(judged: Sequence[JudgedPair], measure: str) -> Game:
    return _paired_scores([(p.stable[measure], p.candidate[measure]) for p in judged if measure in p.stable])


def _paired_scores(scores: Sequence[tuple[float, float]]) -> Game:
    stable, candidate = (np.array([pair[i] for pair in scores], dtype=np.float64) for i in (0, 1))
    worse = stable - candidate

    def play(boundary: float, side: Side) -> Array:
        return bet_on_mean(worse, low=-1.0, high=1.0, boundary=boundary, side=side)

    return Game(
        test="paired bet on the mean difference",
        play=play,
        samples=len(scores),
        stable=_mean(stable),
        candidate=_mean(candidate),
        worsening=_mean(worse),
        lowest=-1.0,
        highest=1.0,
    )


def _churn(pairs: Sequence[ShadowPair], alike: Callable[[Sequence[str], Sequence[str]], float]) -> Game:
    return _share(np.array([1 - alike(p.stable, p.candidate) for p in pairs], dtype=np.float64), neutral=0.0)


def _preference(preferences: Sequence[float]) -> Game:
    return _share(1 - np.array(preferences, dtype=np.float64), neutral=0.5)


def _share(lost: Array, *, neutral: float) -> Game:
    """Of each query a share in [0, 1] goes against the candidate; `neutral` is what a harmless one would lose."""

    def play(boundary: float, side: Side) -> Array:
        return bet_on_mean(lost, low=0.0, high=1.0, boundary=boundary + neutral, side=side)

    return Game(
        test="bet on a mean",
        play=play,
        samples=len(lost),
        stable=neutral,
        candidate=_mean(lost),
        worsening=_mean(lost) - neutral,
        lowest=-neutral,
        highest=1.0 - neutral,
    )


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else math.nan


def _quotient(dividend: float, divisor: float) -> float:
    return dividend / divisor if divisor else math.nan
