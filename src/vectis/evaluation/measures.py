"""Measures of a ranking by ir-measures, their bootstrap intervals, and the paired comparison of two rankings. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import ir_measures
import msgspec
import numpy as np
from numpy.typing import NDArray

Run = Mapping[str, Sequence[tuple[str, float]]]
"""Query id -> (document id, score), each document once, best first by score."""
Qrels = Mapping[str, Mapping[str, int]]
"""Query id -> document id -> grade."""

RESAMPLES = 10_000
SEED = 20_240_229
LEVEL = 0.95
_MEASURES: dict[str, Any] = {
    "ndcg@10": ir_measures.nDCG @ 10,
    "mrr@10": ir_measures.RR @ 10,
    "recall@10": ir_measures.R @ 10,
    "recall@100": ir_measures.R @ 100,
}
MEASURES = tuple(_MEASURES)
"""Names of the measures, in the order in which they are shown."""


class Interval(msgspec.Struct, frozen=True):
    """A mean over queries and its 95 % percentile bootstrap interval."""

    mean: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True):
    """The mean difference of two runs over the same queries (second minus first), its 95 % interval, and the share of
    resamples in which the second was not better."""

    difference: float
    low: float
    high: float
    p_not_better: float


def per_query(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Measure -> query id -> value, for every judged query with a relevant document; one without results counts 0."""
    judged = {query: grades for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(judged, 0.0) for name in MEASURES}
    names = {measure: name for name, measure in _MEASURES.items()}
    ranked = {query: _by_rank(results) for query, results in run.items() if query in judged and results}
    if not ranked:
        return values
    calculate: Callable[..., Iterable[Any]] = cast("Any", ir_measures).iter_calc
    for metric in calculate(list(names), judged, ranked):
        values[names[metric.measure]][metric.query_id] = float(metric.value)
    return values


def means(values: Mapping[str, Mapping[str, float]], *, seed: int = SEED) -> dict[str, Interval]:
    """Each measure's mean with its interval. The same values and seed give the same interval."""
    return {name: _interval(np.array(list(of_query.values())), seed) for name, of_query in values.items()}


def compare(first: Mapping[str, float], second: Mapping[str, float], *, seed: int = SEED) -> Comparison:
    """Paired bootstrap of one measure of two runs over the queries that both have."""
    differences = np.array([second[query] - first[query] for query in first if query in second])
    if differences.size == 0:
        return Comparison(0.0, 0.0, 0.0, 1.0)
    resampled = _resampled_means(differences, seed)
    low, high = _percentiles(resampled)
    return Comparison(float(differences.mean()), low, high, float((resampled <= 0).mean()))


def _by_rank(results: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Scores that only say the order: equal ones would be reordered by document id. A document counts at its best rank."""
    ordered = sorted(results, key=lambda result: -result[1])
    ranks: dict[str, float] = {}
    for rank, (document, _) in enumerate(ordered):
        ranks.setdefault(document, float(-rank))
    return ranks


def _interval(values: NDArray[np.float64], seed: int) -> Interval:
    if values.size == 0:
        return Interval(0.0, 0.0, 0.0)
    return Interval(float(values.mean()), *_percentiles(_resampled_means(values, seed)))


def _resampled_means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Shape (RESAMPLES,). Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13."""
    generator = np.random.default_rng(seed)
    drawn = [values[generator.integers(0, values.size, values.size)].mean() for _ in range(RESAMPLES)]
    return np.array(drawn, dtype=np.float64)


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
