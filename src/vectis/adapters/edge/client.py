"""The client of the engine process: the Engine port over one pipelined connection that heals itself."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import msgspec

from vectis.adapters.edge import wire
from vectis.adapters.edge.link import Link
from vectis.domain.filters import Filter
from vectis.domain.points import Page, Point, PointId, Record, ScoredPoint
from vectis.domain.ports.engine import EngineFeatures
from vectis.domain.queries import EngineQuery, Selector
from vectis.domain.schema import CollectionSchema, CollectionState, PayloadIndexKind

TIMEOUT_S = 10.0
PATIENCE_S = 3600.0
"""How long a build, a snapshot or a restore may take."""

UPSERT_BYTES = 4 << 20
"""About this much of an upsert travels in one frame."""

QUERIES_MAX = 32
"""Queries of one batch that travel in one frame."""

FEATURES = EngineFeatures(name="edge", quantization=True, hnsw=True, snapshots=True)


class EdgeEngine:
    """`Engine` over the engine process that listens on `socket`.

    A call waits at most `timeout_s` (builds and copies: an hour) and then raises EngineUnavailable; while the engine process is
    being restarted, calls wait within that time and are repeated on the new connection.
    """

    def __init__(self, socket: Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self._link = Link(socket, timeout_s)
        self._timeout_s = timeout_s

    async def connect(self) -> None:
        """Return when the engine process answers. EngineUnavailable when it does not in time."""
        await self._link.open()

    async def close(self) -> None:
        """End the connection; calls under way get EngineUnavailable."""
        await self._link.close()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def features(self) -> EngineFeatures:
        """Everything."""
        return FEATURES

    async def create(self, name: str, schema: CollectionSchema) -> None:
        """See CollectionAdmin."""
        await self._link.ask("create", name, wire.encode(schema))

    async def drop(self, name: str) -> bool:
        """See CollectionAdmin."""
        return await self._link.ask("drop", name)

    async def names(self) -> list[str]:
        """See CollectionAdmin."""
        return await self._link.ask("names")

    async def describe(self, name: str) -> CollectionState:
        """See CollectionAdmin."""
        return msgspec.convert(await self._link.ask("describe", name), CollectionState)

    async def troubles(self) -> list[str]:
        """See CollectionAdmin."""
        return await self._link.ask("troubles")

    async def create_payload_index(self, name: str, key: str, kind: PayloadIndexKind) -> None:
        """See CollectionAdmin."""
        await self._link.ask("create_payload_index", name, wire.encode((key, kind)), timeout_s=PATIENCE_S)

    async def optimize(self, name: str) -> bool:
        """See CollectionAdmin."""
        return await self._link.ask("optimize", name, timeout_s=PATIENCE_S)

    async def apply_aliases(self, aliases: Mapping[str, str]) -> None:
        """See CollectionAdmin."""
        await self._link.ask("apply_aliases", body=wire.encode(dict(aliases)))

    async def aliases(self) -> dict[str, str]:
        """See CollectionAdmin."""
        return await self._link.ask("aliases")

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        """See PointWriter. Many points travel in several frames, one after another."""
        frame: list[bytes] = []
        size = 0
        for point in points:
            vectors = {key: wire.raw(vector) for key, vector in point.vectors.items()}
            body = wire.encode_body((point.id, vectors, point.payload))
            if size + len(body) > UPSERT_BYTES and frame:
                await self._link.ask("upsert", name, wire.joined(frame))
                frame, size = [], 0
            frame.append(body)
            size += len(body)
        await self._link.ask("upsert", name, wire.joined(frame))

    async def delete(self, name: str, ids: Sequence[PointId]) -> None:
        """See PointWriter."""
        await self._link.ask("delete", name, wire.encode_body(list(ids)))

    async def delete_matching(self, name: str, filter: Filter) -> None:
        """See PointWriter."""
        await self._link.ask("delete_matching", name, wire.encode(filter), timeout_s=PATIENCE_S)

    async def query(self, name: str, query: EngineQuery) -> list[ScoredPoint]:
        """See PointReader."""
        body, vectors = wire.outline(query)
        return _scored(await self._link.ask("query", name, body, vectors))

    async def query_batch(self, name: str, queries: Sequence[EngineQuery]) -> list[list[ScoredPoint]]:
        """See PointReader. Long batches travel in several frames at once."""
        if not queries:
            return []
        frames = [queries[at : at + QUERIES_MAX] for at in range(0, len(queries), QUERIES_MAX)]
        answers = await asyncio.gather(*(self._queries(name, frame) for frame in frames))
        return [_scored(flat) for answer in answers for flat in answer]

    async def retrieve(
        self, name: str, ids: Sequence[PointId], *, with_payload: Selector = True, with_vectors: Selector = False
    ) -> list[Record]:
        """See PointReader."""
        body = wire.encode_body((list(ids), with_payload, with_vectors))
        return _records(await self._link.ask("retrieve", name, body))

    async def scroll(
        self,
        name: str,
        *,
        limit: int,
        offset: PointId | None = None,
        filter: Filter | None = None,
        with_payload: Selector = True,
        with_vectors: Selector = False,
    ) -> Page:
        """See PointReader."""
        body = wire.encode_body((limit, offset, filter, with_payload, with_vectors))
        flat, following = await self._link.ask("scroll", name, body)
        return Page(_records(flat), following)

    async def count(self, name: str, filter: Filter | None = None) -> int:
        """See PointReader."""
        return await self._link.ask("count", name, wire.encode(filter))

    async def snapshot(self, name: str, folder: Path) -> None:
        """See SnapshotStore. The engine process writes the files."""
        await self._link.ask("snapshot", name, _absolute(folder), timeout_s=PATIENCE_S)

    async def restore(self, name: str, folder: Path) -> None:
        """See SnapshotStore. The engine process reads the files."""
        await self._link.ask("restore", name, _absolute(folder), timeout_s=PATIENCE_S)

    async def stats(self) -> dict[str, Any]:
        """What the engine process measures of itself, for the metrics page."""
        return await self._link.ask("stats")

    async def _queries(self, name: str, queries: Sequence[EngineQuery]) -> list[wire.FlatHits]:
        outlines: list[bytes] = []
        vectors: wire.Parts = []
        for query in queries:
            body, parts = wire.outline(query)
            outlines.append(body)
            vectors += parts
        return cast(list[wire.FlatHits], await self._link.ask("queries", name, wire.encode(outlines), vectors))


def _absolute(path: Path) -> bytes:
    return wire.encode(str(path.absolute()))


def _scored(flat: wire.FlatHits) -> list[ScoredPoint]:
    ids, scores, payloads, vectors = flat
    if vectors is not None:
        named = [wire.unraw_all(v) for v in vectors]
        return list(map(ScoredPoint, ids, scores, payloads or [None] * len(ids), named))
    if payloads is not None:
        return list(map(ScoredPoint, ids, scores, payloads))
    return list(map(ScoredPoint, ids, scores))


def _records(flat: wire.FlatRecords) -> list[Record]:
    ids, payloads, vectors = flat
    named = [None] * len(ids) if vectors is None else [wire.unraw_all(v) for v in vectors]
    return list(map(Record, ids, payloads or [None] * len(ids), named))
