"""The engine ports over plain Python and numpy: exact, small, gone on exit. Nothing approximate, so nothing to tune."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from vectis.adapters.memory import scoring
from vectis.adapters.memory.collection import PointSet
from vectis.domain.errors import CollectionExists, CollectionNotFound, InvalidInput, Unsupported
from vectis.domain.filters import Filter
from vectis.domain.points import Page, Point, PointId, Record, ScoredPoint, canonical_id
from vectis.domain.ports.engine import EngineFeatures
from vectis.domain.queries import EngineQuery, Rrf, Selector
from vectis.domain.schema import CollectionSchema, CollectionState, PayloadIndexKind


class MemoryEngine:
    """All four engine ports in one process; each call happens at once, so writers never see each other half done."""

    def __init__(self) -> None:
        self._collections: dict[str, PointSet] = {}
        self._aliases: dict[str, str] = {}

    @property
    def features(self) -> EngineFeatures:
        """Exact search and nothing else."""
        return EngineFeatures(name="memory", quantization=False, hnsw=False, snapshots=False)

    async def create(self, name: str, schema: CollectionSchema) -> None:
        """See CollectionAdmin. Unsupported when the schema asks for quantization; HNSW settings have nothing to act on."""
        if name in self._collections or name in self._aliases:
            raise CollectionExists(f"{name!r} exists already: drop it first, or choose another name", name=name)
        if schema.quantization is not None:
            raise Unsupported("the memory engine keeps full vectors only: set the schema's quantization to null")
        self._collections[name] = PointSet(schema)

    async def drop(self, name: str) -> bool:
        """See CollectionAdmin. Aliases of the collection go with it."""
        self._aliases = {alias: target for alias, target in self._aliases.items() if target != name}
        return self._collections.pop(name, None) is not None

    async def names(self) -> list[str]:
        """All collections, sorted."""
        return sorted(self._collections)

    async def describe(self, name: str) -> CollectionState:
        """Counts now; nothing is ever indexed."""
        points = self._resolve(name)
        return CollectionState(
            points=len(points), indexed_vectors=0, segments=1, payload_indexes=dict(points.payload_indexes)
        )

    async def troubles(self) -> list[str]:
        """None, ever."""
        return []

    async def create_payload_index(self, name: str, key: str, kind: PayloadIndexKind) -> None:
        """Remembered for `describe`; filters answer alike without."""
        self._resolve(name).payload_indexes[key] = kind

    async def optimize(self, name: str) -> bool:
        """False: there is never anything to do."""
        self._resolve(name)
        return False

    async def apply_aliases(self, aliases: Mapping[str, str]) -> None:
        """See CollectionAdmin."""
        for alias, target in aliases.items():
            if target not in self._collections:
                raise _not_found(target)
            if alias in self._collections:
                raise CollectionExists(f"{alias!r} is a collection, so it cannot be an alias", name=alias)
        self._aliases = dict(aliases)

    async def aliases(self) -> dict[str, str]:
        """Alias to collection."""
        return dict(self._aliases)

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        """See PointWriter."""
        held = self._resolve(name)
        for point in points:
            held.put(Point(canonical_id(point.id), point.vectors, point.payload))

    async def delete(self, name: str, ids: Sequence[PointId]) -> None:
        """See PointWriter."""
        held = self._resolve(name)
        for point_id in ids:
            held.remove(canonical_id(point_id))

    async def delete_matching(self, name: str, filter: Filter) -> None:
        """See PointWriter."""
        held = self._resolve(name)
        for point_id in held.matching(filter):
            held.remove(point_id)

    async def query(self, name: str, query: EngineQuery) -> list[ScoredPoint]:
        """See PointReader."""
        held = self._resolve(name)
        ranked = _ranked(held, query)[query.offset : query.offset + query.limit]
        return [
            ScoredPoint(i, score, held.payload(i, query.with_payload), held.vectors(i, query.with_vectors))
            for i, score in ranked
        ]

    async def query_batch(self, name: str, queries: Sequence[EngineQuery]) -> list[list[ScoredPoint]]:
        """See PointReader."""
        return [await self.query(name, query) for query in queries]

    async def retrieve(
        self, name: str, ids: Sequence[PointId], *, with_payload: Selector = True, with_vectors: Selector = False
    ) -> list[Record]:
        """See PointReader."""
        held = self._resolve(name)
        return [
            Record(i, held.payload(i, with_payload), held.vectors(i, with_vectors))
            for i in map(canonical_id, ids)
            if i in held
        ]

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
        held = self._resolve(name)
        ids = held.matching(filter)
        if offset is not None:
            first = scoring.id_order(canonical_id(offset))
            ids = [i for i in ids if scoring.id_order(i) >= first]
        records = [Record(i, held.payload(i, with_payload), held.vectors(i, with_vectors)) for i in ids[:limit]]
        return Page(records, ids[limit] if len(ids) > limit else None)

    async def count(self, name: str, filter: Filter | None = None) -> int:
        """See PointReader."""
        return len(self._resolve(name).matching(filter))

    async def snapshot(self, name: str, folder: Path) -> None:
        """Unsupported."""
        raise _no_snapshots(name)

    async def restore(self, name: str, folder: Path) -> None:
        """Unsupported."""
        raise _no_snapshots(name)

    def _resolve(self, name: str) -> PointSet:
        held = self._collections.get(self._aliases.get(name, name))
        if held is None:
            raise _not_found(name)
        return held


def _ranked(held: PointSet, query: EngineQuery) -> scoring.Ranked:
    lists = [held.nearest(prefetch, query.filter) for prefetch in query.prefetches]
    if query.fusion is None:
        if len(lists) != 1:
            raise InvalidInput(f"a query of {len(lists)} prefetches needs a fusion; without one it has exactly one")
        return held.better_than(query.score_threshold, query.prefetches[0].using, lists[0])
    if isinstance(query.fusion, Rrf):
        if query.fusion.k < 1:
            raise InvalidInput(f"rrf: k is 1 or more, not {query.fusion.k}")
        if query.fusion.weights is not None and len(query.fusion.weights) != len(lists):
            raise InvalidInput(f"rrf: {len(query.fusion.weights)} weights for {len(lists)} prefetches; give one each")
        fused = scoring.rrf(lists, query.fusion.k, query.fusion.weights)
    else:
        fused = scoring.dbsf(lists)
    return [entry for entry in fused if query.score_threshold is None or entry[1] >= query.score_threshold]


def _not_found(name: str) -> CollectionNotFound:
    return CollectionNotFound(f"there is no collection or alias {name!r}: create it, or list what there is", name=name)


def _no_snapshots(name: str) -> Unsupported:
    return Unsupported(f"the memory engine has no snapshots: {name!r} cannot be saved or restored", engine="memory")
