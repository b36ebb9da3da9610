"""From points to hits."""

from vectis.domain.points import ScoredPoint
from vectis.search.assemble import grouped_hits, plain_hits


def chunk(id: int, score: float, document: str) -> ScoredPoint:
    return ScoredPoint(id=id, score=score, payload={"document_id": document, "text": f"chunk {id}"})


POINTS = [chunk(1, 0.9, "a"), chunk(2, 0.8, "b"), chunk(3, 0.7, "a"), chunk(4, 0.6, "c")]


def test_documents_stand_in_the_order_of_their_best_chunks() -> None:
    hits = grouped_hits(POINTS, offset=0, limit=10, with_payload=True)
    assert [(h.id, h.point_id, h.chunks, h.score) for h in hits] == [
        ("a", 1, 2, 0.9),
        ("b", 2, 1, 0.8),
        ("c", 4, 1, 0.6),
    ]


def test_the_window_counts_documents() -> None:
    assert [h.id for h in grouped_hits(POINTS, offset=1, limit=1, with_payload=True)] == ["b"]
    assert grouped_hits(POINTS, offset=3, limit=5, with_payload=True) == []


def test_payload_read_for_grouping_alone_is_not_shown() -> None:
    assert all(h.payload is None for h in grouped_hits(POINTS, offset=0, limit=10, with_payload=False))


def test_points_of_no_document_stay_by_themselves() -> None:
    hits = grouped_hits([ScoredPoint(id=7, score=1.0)], offset=0, limit=10, with_payload=True)
    assert [h.id for h in hits] == [7]


def test_plain_hits_keep_the_order() -> None:
    assert [h.id for h in plain_hits(POINTS)] == [1, 2, 3, 4]
