"""From points to hits."""

from vectis.domain.points import ScoredPoint, SparseVector
from vectis.domain.queries import Dbsf, EngineQuery, Nearest, Rrf
from vectis.search.assemble import grouped_hits, places, plain_hits, reasons
from vectis.search.requests import Place


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


def query(fusion: Rrf | Dbsf | None) -> EngineQuery:
    prefetches = tuple(Nearest(SparseVector([1], [1.0]), using, 10) for using in ("dense", "sparse"))
    return EngineQuery(prefetches=prefetches, limit=10, fusion=fusion)


def test_places_and_contributions_of_a_hit() -> None:
    stood = places(["dense", "sparse"], [POINTS[:2], [POINTS[1]]])
    assert stood[2] == {"dense": Place(2, 0.8), "sparse": Place(1, 0.8)}
    why = reasons(query(Rrf(k=10, weights=[2.0, 1.0])), stood[2])
    assert why.contributions == {"dense": 1 / (2 / 2 + 9), "sparse": 1 / (1 + 9)}
    assert "k 10" in why.fusion


def test_dbsf_and_no_fusion_claim_no_contributions() -> None:
    assert reasons(query(Dbsf()), {}).contributions == {}
    assert reasons(query(None), {}).fusion.startswith("none")
