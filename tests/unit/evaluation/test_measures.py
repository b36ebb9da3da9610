"""The measures against values worked out by hand, and the behaviour of intervals and comparisons."""

import math

import pytest

from vectis.evaluation.measures import MEASURES, compare, means, per_query

QRELS = {"q1": {"a": 1, "b": 1}, "q2": {"c": 1}, "q3": {"d": 1}, "none": {"e": 0}}


def test_values_are_those_of_the_definitions() -> None:
    run = {"q1": [("x", 3.0), ("a", 2.0), ("b", 1.0)], "q2": [(f"x{n}", 100.0 - n) for n in range(50)] + [("c", 1.0)]}
    values = per_query(QRELS, run)
    assert set(values) == set(MEASURES)
    gained = 1 / math.log2(3) + 1 / math.log2(4)
    ideal = 1 + 1 / math.log2(3)
    assert values["ndcg@10"] == pytest.approx({"q1": gained / ideal, "q2": 0.0, "q3": 0.0})
    assert values["mrr@10"] == pytest.approx({"q1": 0.5, "q2": 0.0, "q3": 0.0})
    assert values["recall@10"] == pytest.approx({"q1": 1.0, "q2": 0.0, "q3": 0.0})
    assert values["recall@100"] == pytest.approx({"q1": 1.0, "q2": 1.0, "q3": 0.0})


def test_equal_scores_keep_the_order_of_the_run() -> None:
    first = per_query({"q": {"a": 1}}, {"q": [("a", 1.0), ("z", 1.0)]})
    second = per_query({"q": {"a": 1}}, {"q": [("z", 1.0), ("a", 1.0)]})
    assert (first["mrr@10"]["q"], second["mrr@10"]["q"]) == (1.0, 0.5)


def test_an_empty_run_scores_nothing() -> None:
    assert means(per_query(QRELS, {}))["ndcg@10"].mean == 0.0


def test_intervals_hold_the_mean_and_repeat() -> None:
    values = {"ndcg@10": {str(n): n % 7 / 6 for n in range(100)}}
    interval = means(values)["ndcg@10"]
    assert interval.low < interval.mean < interval.high
    # The standard error of the mean is 0.0334, so the interval is about 0.13 wide.
    assert interval.high - interval.low == pytest.approx(4 * 0.0334, rel=0.1)
    assert means(values) == means(values)


def test_a_paired_difference_is_seen_where_intervals_overlap() -> None:
    first = {str(n): n % 7 / 10 for n in range(100)}
    second = {query: value + 0.01 + 0.02 * (int(query) % 2) for query, value in first.items()}
    comparison = compare(first, second)
    assert comparison.difference == pytest.approx(0.02)
    assert 0 < comparison.low < comparison.difference < comparison.high
    assert comparison.p_not_better == 0.0
    assert compare(first, first).p_not_better == 1.0
