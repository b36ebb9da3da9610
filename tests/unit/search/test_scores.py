"""Scores of several prefetches become one order of documents, or of chunks."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.domain.points import PointId, ScoredPoint
from vectis.search.requests import Place
from vectis.search.scores import Prefetched, ScoreFusion


def documents_of(points: Sequence[ScoredPoint]) -> list[PointId]:
    """Points are called "a1": chunk 1 of document a."""
    return [str(point.id)[0] for point in points]


def found(
    name: str, *points: tuple[str, float], share: float = 0.5, depth: int = 10, whole: bool = False
) -> Prefetched:
    return Prefetched(name, [ScoredPoint(id, score) for id, score in points], share, depth, whole)


DENSE = found("dense", ("a1", 0.9), ("a2", 0.8), ("b1", 0.5))
SPARSE = found("sparse", ("b1", 12.0), ("a2", 8.0), ("c1", 4.0))


def test_a_document_counts_with_its_best_chunk_in_each_prefetch() -> None:
    fusion = ScoreFusion([DENSE, SPARSE], documents_of, group=True)
    assert [ranked.subject for ranked in fusion.ranked()] == ["a", "b", "c"]
    reasons = fusion.reasons("a")
    assert reasons.places == {"dense": Place(1, 0.9), "sparse": Place(2, 8.0)}
    assert reasons.contributions["dense"] == pytest.approx(0.5 * ((0.9 - 0.7) / (6 * 0.2) + 0.5))
    assert reasons.contributions["sparse"] == pytest.approx(0.5 * 0.5)
    assert fusion.chunks(["c", "a"]) == [["c1"], ["a2", "a1"]]


def test_a_prefetch_that_did_not_find_a_document_adds_nothing() -> None:
    fusion = ScoreFusion([DENSE, SPARSE], documents_of, group=True)
    assert set(fusion.reasons("c").places) == set(fusion.reasons("c").contributions) == {"sparse"}
    assert fusion.ranked()[-1].score == pytest.approx(fusion.reasons("c").contributions["sparse"])


def test_what_is_known_of_a_document_counts_for_each_of_its_chunks() -> None:
    whole = found("document_sparse", ("b1", 5.0), ("a1", 1.0), whole=True)
    fusion = ScoreFusion([DENSE, whole], documents_of, group=False)
    assert {ranked.subject for ranked in fusion.ranked()} == {"a1", "a2", "b1"}
    of_a1, of_a2 = (fusion.reasons(id).contributions["document_sparse"] for id in ("a1", "a2"))
    assert of_a1 == of_a2 < fusion.reasons("b1").contributions["document_sparse"]


def test_a_document_found_only_as_a_whole_is_shown_by_its_first_chunk() -> None:
    fusion = ScoreFusion([DENSE, found("document_dense", ("z1", 0.7), whole=True)], documents_of, group=True)
    assert fusion.chunks(["z"]) == [["z1"]]


def test_a_chunk_that_a_whole_document_stands_by_counts_as_found_whichever_prefetch_comes_first() -> None:
    whole = found("document_sparse", ("a1", 5.0), whole=True)
    for sides in ([whole, DENSE], [DENSE, whole]):
        assert ScoreFusion(sides, documents_of, group=True).chunks(["a"]) == [["a1", "a2"]]


def test_equal_scores_stand_by_rank_then_id() -> None:
    one = found("dense", ("b1", 0.5), ("a1", 0.5), share=1.0)
    assert [(r.subject, r.score) for r in ScoreFusion([one], documents_of, group=True).ranked()] == [
        ("b", 0.5),
        ("a", 0.5),
    ]


NAMES = [f"{letter}{number}" for letter in "abcdefgh" for number in range(4)]
POINTS = st.lists(st.sampled_from(NAMES), unique=True, max_size=20)


@given(POINTS, POINTS, st.floats(0.01, 0.99), st.integers(1, 20), st.booleans())
def test_explanations_add_up_and_nothing_is_lost(a: list[str], b: list[str], share: float, depth: int, group: bool):
    lists = [
        found("dense", *((id, 1 / (n + 1)) for n, id in enumerate(a)), share=share, depth=depth),
        found("document_sparse", *((id, 9.0 - n) for n, id in enumerate(b)), share=1 - share, depth=depth, whole=True),
    ]
    fusion = ScoreFusion(lists, documents_of, group=group)
    ranked = fusion.ranked()
    assert sorted(r.subject for r in ranked) == sorted({id[0] if group else id for id in a + b})
    assert [r.score for r in ranked] == sorted((r.score for r in ranked), reverse=True)
    assert fusion.ranked(depth) == ranked[:depth]
    for each in ranked:
        assert sum(fusion.reasons(each.subject).contributions.values()) == pytest.approx(each.score)


@given(POINTS, POINTS, st.integers(1, 10), st.booleans())
def test_asking_for_more_changes_nothing_of_what_came_first(a: list[str], b: list[str], depth: int, group: bool):
    def ranking(length: int) -> list[tuple[PointId, float]]:
        lists = [
            found(name, *((id, 1 / (n + 1)) for n, id in enumerate(ids[:length])), depth=depth)
            for name, ids in (("dense", a), ("sparse", b))
        ]
        return [(r.subject, r.score) for r in ScoreFusion(lists, documents_of, group=group).ranked()]

    few = ranking(depth)
    assert ranking(20)[: len(few)] == few
