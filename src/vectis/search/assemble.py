"""From the engine's points to hits: grouping by document, snippets. Pure."""

from collections.abc import Sequence

from vectis.domain.documents import DOCUMENT_ID
from vectis.domain.points import PointId, ScoredPoint
from vectis.domain.queries import Selector
from vectis.search.requests import Hit
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


def with_snippet(hit: Hit, terms: frozenset[int], term_of: TermOf) -> str | None:
    """The marked snippet of a hit whose payload holds the chunk's text, else None."""
    text = (hit.payload or {}).get("text")
    return snippet(text, terms, term_of) if isinstance(text, str) else None
