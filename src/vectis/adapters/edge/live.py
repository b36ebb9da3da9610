"""One open collection: its shard, its writes in order, its reads. Batching of queries and builds have modules of their own.

Everything runs in the engine process's one loop. The engine holds the GIL while it works, so writes go in slices and give way
between them.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import qdrant_edge as qe

from vectis.adapters.edge.layout import CollectionFolder, warm
from vectis.adapters.edge.translate import (
    Plan,
    engine_filter,
    engine_vector,
    index_kinds,
    index_operation,
    raw_vectors,
    search_threads,
    shard_config,
)
from vectis.adapters.edge.wire import FlatRecords, WirePoint, unraw_all
from vectis.domain.errors import CollectionNotFound, LimitExceeded
from vectis.domain.filters import Filter
from vectis.domain.points import PointId, canonical_id
from vectis.domain.queries import Selector
from vectis.domain.schema import CollectionSchema, CollectionState, PayloadIndexKind, check_vectors

SLICE_POINTS = 64
"""Points written without giving way: some 3 ms."""

FLUSH_POINTS = 4000
"""Unflushed points that bring a flush forward, because a flush of 50,000 stops queries for 0.2 s."""

SCROLL_MAX = 100_000
PLANS_MAX = 1024


class LiveCollection:
    """An open collection. Writes wait for each other in order of arrival; reads wait for nothing."""

    def __init__(self, folder: CollectionFolder, written: Callable[[str], None]) -> None:
        """`written` hears of each change of points before anything else happens in the process."""
        folder.tidy()
        self._written = written
        self.folder = folder
        self.name = folder.name
        self.schema = folder.schema()
        warm(folder.current())
        self.shard = open_shard(str(folder.current()), self.schema)
        self.built = asyncio.Event()
        self.built.set()
        self.dropped = False
        self.written_at = monotonic()
        self._writes = asyncio.Lock()
        self._changed: set[PointId] | None = None
        self._indexed_since: dict[str, PayloadIndexKind] = {}
        self._plans: dict[bytes, Plan] = {}
        self._dirty = 1  # what was replayed from the log is not flushed, and would be replayed again
        self._flushed_at = monotonic()
        self._graph_points = _graph_points(self.shard)
        info = self.shard.info()
        kinds = len(self.schema.dense) + len(self.schema.sparse)
        self.unindexed = max(0, info.points_count * kinds - info.indexed_vectors_count) if self.schema.dense else 0
        self.removed = 0

    @property
    def building(self) -> bool:
        """Whether a build runs."""
        return not self.built.is_set()

    # Writes

    @asynccontextmanager
    async def no_writes(self) -> AsyncGenerator[None, None]:
        """While held, nothing is written. CollectionNotFound when it was dropped while waiting."""
        async with self._writes:
            self.require_open()
            yield

    async def settle(self) -> None:
        """Return when no write runs."""
        async with self._writes:
            return

    async def upsert(self, points: Sequence[WirePoint]) -> None:
        """Write points in order; what is wrong with any is said before the first is written."""
        ids = [canonical_id(point.id) for point in points]
        for i, point in enumerate(points):
            check_vectors(self.schema, unraw_all(point.vectors), at=f"points[{i}].vectors")
        async with self.no_writes():
            slices: list[list[qe.Point]] = []
            for at in range(0, len(points), SLICE_POINTS):
                slices.append(_engine_points(ids[at : at + SLICE_POINTS], points[at : at + SLICE_POINTS]))
                await asyncio.sleep(0)  # queries go between
            for i, converted in enumerate(slices):
                self._note(ids[i * SLICE_POINTS : (i + 1) * SLICE_POINTS])
                self._update(qe.UpdateOperation.upsert_points(converted))
                self.unindexed += len(converted)
                await asyncio.sleep(0)  # queries go between

    async def delete(self, ids: Sequence[PointId]) -> None:
        """Remove points by id."""
        known = [canonical_id(i) for i in ids]
        async with self.no_writes():
            for at in range(0, len(known), SLICE_POINTS):
                self._delete_slice(known[at : at + SLICE_POINTS])
                await asyncio.sleep(0)  # queries go between

    async def delete_matching(self, filter: Filter) -> None:
        """Remove what matches now: the ids are found first, so that a build can follow."""
        condition = engine_filter(filter)
        async with self.no_writes():
            offset: PointId | None = None
            while True:
                request = qe.ScrollRequest(
                    offset=offset, limit=SLICE_POINTS, filter=condition, with_payload=False, with_vector=False
                )
                records, following = self.shard.scroll(request)
                if records:
                    self._delete_slice([_plain(record.id) for record in records])
                if following is None:
                    return
                offset = _plain(following)
                await asyncio.sleep(0)  # queries go between

    def has_index(self, key: str, kind: PayloadIndexKind) -> bool:
        """Whether `key` is indexed as `kind`. InvalidInput when `key` is no path."""
        index_operation(key, kind)
        return index_kinds(self.shard.info()).get(key) == kind

    async def create_payload_index(self, key: str, kind: PayloadIndexKind) -> None:
        """Index `key` here and now, while everything waits; durable on return."""
        async with self.no_writes():
            self.shard.update(index_operation(key, kind))
            self._indexed_since[key] = kind
            self.flush()

    def _delete_slice(self, ids: Sequence[PointId]) -> None:
        self._note(ids)
        self._update(qe.UpdateOperation.delete_points(list(ids)))
        self.removed += len(ids)

    def _update(self, operation: qe.UpdateOperation) -> None:
        """Counted also when it fails, for it may have changed something."""
        try:
            self.shard.update(operation)
        finally:
            self._written(self.name)

    def _note(self, ids: Sequence[PointId]) -> None:
        if self._changed is not None:
            self._changed.update(ids)
        self.written_at = monotonic()
        self._dirty += len(ids)
        if self._dirty > FLUSH_POINTS:
            self.flush()

    # Durability

    def flush(self) -> None:
        """Write out what only the write-ahead log holds."""
        self.shard.flush()
        self._dirty = 0
        self._flushed_at = monotonic()

    def flush_when_due(self) -> None:
        """Flush when something waits since `flush_interval_sec`."""
        if self._dirty and monotonic() - self._flushed_at >= self.schema.optimizers.flush_interval_sec:
            self.flush()

    def close(self) -> None:
        """Flush and close; requests that come later find no collection."""
        self.dropped = True
        self.shard.flush()
        self.shard.close()

    def require_open(self) -> None:
        """CollectionNotFound once it is closed."""
        if self.dropped:
            raise CollectionNotFound(f"collection {self.name} was dropped", name=self.name)

    # Following a build

    def begin_changes(self) -> None:
        """From here on remember what changes. Only within `no_writes`."""
        self._changed = set()
        self._indexed_since = {}

    def end_changes(self) -> None:
        """Stop remembering."""
        self._changed = None

    @property
    def changes(self) -> int:
        """How many points changed and were not taken yet."""
        return len(self._changed or ())

    def take_changes(self, maximum: int) -> list[PointId]:
        """Up to `maximum` ids that changed, forgotten by that."""
        changed = self._changed or set()
        return [changed.pop() for _ in range(min(maximum, len(changed)))]

    def replay(self, ids: Sequence[PointId], target: qe.EdgeShard) -> None:
        """Bring `ids` in `target` to their state here."""
        found = self.shard.retrieve(list(ids), True, True)
        if found:
            points = [qe.Point(r.id, r.vector or {}, r.payload) for r in found]
            target.update(qe.UpdateOperation.upsert_points(points))
        gone = set(ids) - {_plain(r.id) for r in found}
        if gone:
            target.update(qe.UpdateOperation.delete_points(list(gone)))

    def replay_indexes(self, target: qe.EdgeShard) -> None:
        """Make the payload indexes in `target` that were made here meanwhile."""
        for key, kind in self._indexed_since.items():
            target.update(index_operation(key, kind))
        self._indexed_since = {}

    def adopt(self, shard: qe.EdgeShard, *, unindexed: int | None) -> None:
        """Serve from `shard` from now on; it was optimized but for `unindexed` points, or not at all."""
        self.shard = shard
        self._graph_points = _graph_points(shard)
        self._plans.clear()
        self._dirty = 0
        if unindexed is not None:
            self.unindexed, self.removed = unindexed, 0
        self.end_changes()

    # Reads

    def plan(self, body: bytes) -> Plan:
        """The translated outline of a query; remembered, for outlines repeat."""
        plan = self._plans.get(body)
        if plan is None:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            plan = self._plans[body] = Plan(body, self.schema, self._graph_points)
        return plan

    def retrieve(self, ids: Sequence[PointId], with_payload: Selector, with_vectors: Selector) -> FlatRecords:
        """The records that exist, in the order of `ids`."""
        known = [canonical_id(i) for i in ids]
        records = self.shard.retrieve(list(dict.fromkeys(known)), with_payload, with_vectors)
        by_id = {_plain(r.id): r for r in records}
        return _flat([by_id[i] for i in known if i in by_id], with_payload, with_vectors)

    def scroll(
        self, limit: int, offset: PointId | None, filter: Filter | None, with_payload: Selector, with_vectors: Selector
    ) -> tuple[FlatRecords, PointId | None]:
        """A page of records and where the next begins."""
        if not 1 <= limit <= SCROLL_MAX:
            raise LimitExceeded(f"limit {limit}: a page has 1 to {SCROLL_MAX} points", maximum=SCROLL_MAX)
        records, following = self.shard.scroll(
            qe.ScrollRequest(
                offset=None if offset is None else canonical_id(offset),
                limit=limit,
                filter=None if filter is None else engine_filter(filter),
                with_payload=with_payload,
                with_vector=with_vectors,
            )
        )
        return _flat(records, with_payload, with_vectors), None if following is None else _plain(following)

    def count(self, filter: Filter | None) -> int:
        """Points that match, exactly."""
        return self.shard.count(qe.CountRequest(True, None if filter is None else engine_filter(filter)))

    def state(self) -> CollectionState:
        """Counts and state now."""
        info = self.shard.info()
        return CollectionState(
            points=self.shard.count(qe.CountRequest(True)),
            indexed_vectors=info.indexed_vectors_count,
            segments=info.segments_count,
            payload_indexes=index_kinds(info),
            building=self.building,
        )


def open_shard(path: str, schema: CollectionSchema) -> qe.EdgeShard:
    """Open a shard for serving."""
    return qe.EdgeShard.load(path, _config(schema))


def create_shard(path: str, schema: CollectionSchema) -> None:
    """Make an empty shard with its payload indexes, flushed and closed."""
    shard = qe.EdgeShard.create(path, _config(schema))
    for key, kind in schema.payload_indexes.items():
        shard.update(index_operation(key, kind))
    shard.flush()
    shard.close()


def _graph_points(shard: qe.EdgeShard) -> int:
    """Points of an index of the shard, on average: besides the indexed segments there is one that takes writes."""
    info = shard.info()
    return info.points_count // max(1, info.segments_count - 1)


def _config(schema: CollectionSchema) -> qe.EdgeConfig:
    return shard_config(schema, search_threads=search_threads(), indexing_threads=schema.hnsw.max_indexing_threads)


def _engine_points(ids: Sequence[PointId], points: Sequence[WirePoint]) -> list[qe.Point]:
    return [
        qe.Point(i, {name: engine_vector(parts) for name, parts in point.vectors.items()}, point.payload)
        for i, point in zip(ids, points, strict=True)
    ]


def _plain(value: Any) -> PointId:
    return value if isinstance(value, int) else str(value)


def _flat(records: Sequence["qe.Record"], with_payload: Selector, with_vectors: Selector) -> FlatRecords:
    return (
        [_plain(r.id) for r in records],
        [r.payload or {} for r in records] if with_payload not in (False, []) else None,
        [raw_vectors(r.vector) for r in records] if with_vectors not in (False, []) else None,
    )
