"""What the reranker says of the first documents, as one more part of a fusion of scores."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from vectis.domain.errors import RerankerUnavailable
from vectis.domain.points import PointId, Record, ScoredPoint
from vectis.domain.ports.engine import PointReader
from vectis.domain.ports.reranker import Reranker
from vectis.domain.profiles import Rerank
from vectis.search.scores import Prefetched

RERANK = "rerank"
READ = ["title", "heading_path", "text"]
"""The payload keys that make up what the reranker reads of a chunk."""


class Reranking:
    """Lets the reranker read chunks."""

    def __init__(self, reranker: Reranker, reader: PointReader) -> None:
        self._reranker = reranker
        self._reader = reader

    async def prefetched(
        self, collection: str, query: str, rerank: Rerank, points: Sequence[ScoredPoint], share: float
    ) -> Prefetched:
        """`points` by the reranker's scores, best first. RerankerUnavailable, also when it takes too long."""
        by_id = {point.id: point for point in points}
        try:
            async with asyncio.timeout(rerank.timeout_ms / 1000):
                ids: list[PointId] = list(by_id)
                records = await self._reader.retrieve(collection, ids, with_payload=READ)
                scores = await self._reranker.scores(query, [_read_text(record) for record in records])
        except TimeoutError:
            raise RerankerUnavailable(f"the reranker took longer than {rerank.timeout_ms} ms") from None
        scored = [replace(by_id[record.id], score=score) for record, score in zip(records, scores, strict=True)]
        scored.sort(key=lambda point: (-point.score, str(point.id)))
        return Prefetched(RERANK, scored, share, depth=len(scored), whole=False)


def _read_text(record: Record) -> str:
    """A chunk as a reader would find it: below its title and headings."""
    payload = record.payload or {}
    names = dict.fromkeys([str(payload.get("title", "")), *map(str, payload.get("heading_path", ()))])
    above = " > ".join(name for name in names if name)
    return f"{above}\n{payload.get('text', '')}" if above else str(payload.get("text", ""))
