"""Maximal marginal relevance over scores that are final."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.search.diversity import diverse

EAST, NEARLY_EAST, NORTH = (array("f", values) for values in ([1.0, 0.0], [0.8, 0.6], [0.0, 1.0]))
CHUNKS = ["a", "b", "c"]
VECTORS = {"a": EAST, "b": NEARLY_EAST, "c": NORTH}


def test_without_strength_the_order_is_that_of_the_scores() -> None:
    assert diverse([3.0, 2.0, 1.0], CHUNKS, VECTORS, 0.0) == [0, 1, 2]


def test_what_is_like_the_first_comes_after_what_is_not() -> None:
    assert diverse([3.0, 2.9, 1.5], CHUNKS, VECTORS, 0.8) == [0, 2, 1]


def test_each_has_the_most_of_score_and_unlikeness() -> None:
    scores = [1.0, 0.6, 0.0]  # worth 1, 0.6 and 0; cosines to the first are 0.8 and 0
    assert diverse(scores, CHUNKS, VECTORS, 0.42) == [0, 1, 2]  # 0.58 x 0.6 - 0.42 x 0.8 = 0.012 > 0
    assert diverse(scores, CHUNKS, VECTORS, 0.43) == [0, 2, 1]  # 0.57 x 0.6 - 0.43 x 0.8 = -0.002 < 0


def test_a_result_without_a_vector_is_like_no_other() -> None:
    assert diverse([1.0, 0.9, 0.1], CHUNKS, {"a": EAST, "b": EAST}, 0.9) == [0, 2, 1]
    assert diverse([1.0, 0.5], ["x", "y"], {}, 0.9) == [0, 1]


def test_nothing_stays_nothing() -> None:
    assert diverse([], [], {}, 0.5) == []


@given(st.lists(st.floats(0, 2), min_size=1, max_size=30), st.floats(0, 1))
def test_every_result_stays_and_the_best_comes_first(scores: list[float], strength: float) -> None:
    scores.sort(reverse=True)
    chunks = [str(place) for place in range(len(scores))]
    vectors = {chunk: array("f", [1.0, 0.0] if int(chunk) % 2 else [0.0, 1.0]) for chunk in chunks}
    order = diverse(scores, chunks, vectors, strength)
    assert sorted(order) == list(range(len(scores)))
    assert strength == 1 or scores[order[0]] == pytest.approx(scores[0])
