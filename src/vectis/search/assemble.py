"""From the engine's points to hits: grouping by document, snippets. Pure."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from vectis.domain.documents import DOCUMENT_ID, document_parts
from vectis.domain.points import PointId, Record, ScoredPoint
from vectis.domain.queries import Selector
from vectis.search.requests import Hit, Reasons
from vectis.search.scores import Ranked
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


def documents_of(points: Sequence[ScoredPoint]) -> list[PointId]:
    """What stands for the document of each: what the payload says, read of all or of none, else the beginning of the id."""
    if points and points[0].payload is not None:
        return [(point.payload or {}).get(DOCUMENT_ID, point.id) for point in points]
    return document_parts([point.id for point in points])


def scored_hits(
    window: Sequence[Ranked],
    chunks: Sequence[Sequence[PointId]],
    reasons: Sequence[Reasons | None],
    records: Mapping[PointId, Record],
    *,
    grouped: bool,
    with_payload: Selector,
) -> list[Hit]:
    """One hit per ranked document or chunk, by the record of its best chunk; without one, removed meanwhile, it is left out.

    `chunks` are the points found of each, the best first.
    """
    hits: list[Hit] = []
    for ranked, points, why in zip(window, chunks, reasons, strict=True):
        record = records.get(points[0])
        if record is None:
            continue
        hit = Hit(
            record.id, ranked.score, None if with_payload is False else record.payload, record.vectors, reasons=why
        )
        if grouped:
            document = (record.payload or {}).get(DOCUMENT_ID, record.id)
            hit = replace(hit, id=document, point_id=record.id, chunks=len(points))
        hits.append(hit)
    return hits


def with_snippet(hit: Hit, terms: frozenset[int], term_of: TermOf) -> str | None:
    """The marked snippet of a hit whose payload holds the chunk's text, else None."""
    text = (hit.payload or {}).get("text")
    return snippet(text, terms, term_of) if isinstance(text, str) else None
