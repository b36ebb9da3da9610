"""Likeness of rankings against values worked out by hand."""

import pytest

from vectis.domain.evidence import ShadowPair
from vectis.rollouts.judging.rankings import most_different, overlap_at, rank_biased_overlap, recall_at


def test_overlap_counts_the_shared_part_of_the_first_k() -> None:
    assert overlap_at("abcd", "dcba") == 1.0
    assert overlap_at("abcd", "abxy") == 0.5
    assert overlap_at("abcd", "xyab", k=2) == 0.0
    assert overlap_at("abcd", "ab") == 0.5
    assert overlap_at("", "") == 1.0
    assert overlap_at("ab", "") == 0.0


def test_recall_is_of_what_exact_search_found() -> None:
    assert recall_at("abx", "abcd") == 0.5
    assert recall_at("xab", "ab", k=2) == 0.5
    assert recall_at("abc", "") == 1.0


def test_rank_biased_overlap_weighs_upper_ranks_more() -> None:
    assert rank_biased_overlap("abc", "abc") == pytest.approx(1.0)
    assert rank_biased_overlap("abc", "xyz") == 0.0
    assert rank_biased_overlap("abc", "acb") == pytest.approx(0.729 + 0.1 / 0.9 * (0.9 + 0.81 / 2 + 0.729))
    assert rank_biased_overlap("abc", "bac") < rank_biased_overlap("abc", "acb")
    assert rank_biased_overlap("", "") == 1.0
    assert rank_biased_overlap("a", "") == 0.0


def test_the_most_different_answers_come_first() -> None:
    pairs = [
        ShadowPair(query, tuple("abc"), tuple(other), 1, 1)
        for query, other in (("1", "abc"), ("2", "xyz"), ("3", "acb"))
    ]
    assert [pair.query for pair in most_different(pairs, 2)] == ["2", "3"]
