"""From the engine's points to hits: grouping by document, snippets, explanation. Pure."""

from collections.abc import Sequence

from vectis.domain.documents import DOCUMENT_ID
from vectis.domain.points import PointId, ScoredPoint
from vectis.domain.queries import EngineQuery, Fusion, Rrf, Selector
from vectis.search.plan import rrf_share
from vectis.search.requests import Hit, Place, Reasons
from vectis.search.snippet import TermOf, snippet


def plain_hits(points: Sequence[ScoredPoint]) -> list[Hit]:
    """One hit per point."""
    return [Hit(id=p.id, score=p.score, payload=p.payload, vectors=p.vectors) for p in points]


def grouped_hits(points: Sequence[ScoredPoint], *, offset: int, limit: int, with_payload: Selector) -> list[Hit]:
    """One hit per document: its best chunk, in the order of best chunks; points of no document stay by themselves."""
    best: dict[PointId, ScoredPoint] = {}
    chunks: dict[PointId, int] = {}
    for point in points:
        document = (point.payload or {}).get(DOCUMENT_ID, point.id)
        best.setdefault(document, point)
        chunks[document] = chunks.get(document, 0) + 1
    hide = with_payload is False
    return [
        Hit(
            id=document,
            score=point.score,
            payload=None if hide else point.payload,
            vectors=point.vectors,
            point_id=point.id,
            chunks=chunks[document],
        )
        for document, point in list(best.items())[offset : offset + limit]
    ]


def places(names: Sequence[str], lists: Sequence[Sequence[ScoredPoint]]) -> dict[PointId, dict[str, Place]]:
    """Where each point stood in each prefetch."""
    found: dict[PointId, dict[str, Place]] = {}
    for name, points in zip(names, lists, strict=True):
        for rank, point in enumerate(points, start=1):
            found.setdefault(point.id, {})[name] = Place(rank=rank, score=point.score)
    return found


def reasons(query: EngineQuery, stood: dict[str, Place]) -> Reasons:
    """How the final score came about, from the places that a point had in the prefetches of `query`."""
    names = [nearest.using for nearest in query.prefetches]
    contributions: dict[str, float] = {}
    if isinstance(query.fusion, Rrf):
        contributions = {
            name: rrf_share(query.fusion, i, stood[name].rank) for i, name in enumerate(names) if name in stood
        }
    return Reasons(places=stood, fusion=_fusion_text(query.fusion), contributions=contributions)


def with_snippet(hit: Hit, terms: frozenset[int], term_of: TermOf) -> str | None:
    """The marked snippet of a hit whose payload holds the chunk's text, else None."""
    text = (hit.payload or {}).get("text")
    return snippet(text, terms, term_of) if isinstance(text, str) else None


def _fusion_text(fusion: Fusion | None) -> str:
    if fusion is None:
        return "none: one prefetch, its score is the score"
    if isinstance(fusion, Rrf):
        weights = f", weights {fusion.weights}" if fusion.weights else ""
        return f"rrf: sum of 1 / (rank / weight + k - 1), k {fusion.k}{weights}"
    return "dbsf: each prefetch's scores mapped by mean +- 3 sigma, then added"
