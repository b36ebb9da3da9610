"""The engine ports over a Qdrant server or cluster. Which calls are made; words are translated in the files beside."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from pathlib import Path

from qdrant_client import AsyncQdrantClient, models

from vectis.adapters.qdrant.answers import to_id, to_record, to_scored, to_state
from vectis.adapters.qdrant.errors import translated
from vectis.adapters.qdrant.requests import to_filter, to_point, to_request, to_settings
from vectis.domain.errors import CollectionExists, EngineUnavailable, Unsupported, VectisError
from vectis.domain.filters import Filter
from vectis.domain.points import Page, Point, PointId, Record, ScoredPoint, canonical_id
from vectis.domain.ports.engine import EngineFeatures
from vectis.domain.queries import EngineQuery, Selector
from vectis.domain.schema import CollectionSchema, CollectionState, PayloadIndexKind

_POLL_FIRST_S = 0.05
_POLL_LAST_S = 1.0


class QdrantEngine:
    """All four engine ports over `client`, which it owns from here on. A client in local mode lacks indexes: see `features`."""

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client
        local = client.init_options["location"] == ":memory:" or client.init_options["path"] is not None
        self._features = EngineFeatures(
            name="qdrant-local" if local else "qdrant", quantization=not local, hnsw=not local, snapshots=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @property
    def features(self) -> EngineFeatures:
        """No snapshots: the server writes them on its own disks, not into a folder here."""
        return self._features

    async def create(self, name: str, schema: CollectionSchema) -> None:
        """See CollectionAdmin. Unsupported when quantization is wanted of a client in local mode."""
        if schema.quantization is not None and not self._features.quantization:
            raise Unsupported("qdrant-client's local mode has no quantization: set the schema's quantization to null")
        if name in await self.aliases():
            raise CollectionExists(f"{name!r} is an alias: choose another name", name=name)
        with translated():
            await self._client.create_collection(name, **to_settings(schema))
        try:
            for key, kind in schema.payload_indexes.items():
                await self.create_payload_index(name, key, kind)
        except VectisError:
            await self.drop(name)
            raise

    async def drop(self, name: str) -> bool:
        """See CollectionAdmin. Aliases of the collection go with it."""
        if name not in await self.names():
            return False
        with translated():
            return await self._client.delete_collection(name)

    async def names(self) -> list[str]:
        """All collections, sorted."""
        with translated():
            answer = await self._client.get_collections()
        return sorted(collection.name for collection in answer.collections)

    async def describe(self, name: str) -> CollectionState:
        """See CollectionAdmin. Counts exactly, which takes the server a moment on large collections."""
        with translated():
            info = await self._client.get_collection(name)
        return to_state(info, await self.count(name))

    async def troubles(self) -> list[str]:
        """See CollectionAdmin. Those of its optimizers stand in the description of each collection."""
        await self.names()
        return []

    async def create_payload_index(self, name: str, key: str, kind: PayloadIndexKind) -> None:
        """See CollectionAdmin."""
        with translated():
            await self._client.create_payload_index(
                name, field_name=key, field_schema=models.PayloadSchemaType(kind.value), wait=True
            )

    async def optimize(self, name: str) -> bool:
        """See CollectionAdmin. The server decides what is worth building by the thresholds of the schema."""
        with translated():
            info = await self._client.get_collection(name)
            if info.status is models.CollectionStatus.GREEN:
                return False
            # any change of the optimizer's settings, even to what they are, wakes it
            threshold = info.config.optimizer_config.indexing_threshold
            await self._client.update_collection(
                name, optimizers_config=models.OptimizersConfigDiff(indexing_threshold=threshold)
            )
        pause_s = _POLL_FIRST_S
        while (status := await self._status(name)) is not models.CollectionStatus.GREEN:
            if status is models.CollectionStatus.RED:
                raise EngineUnavailable(
                    f"the optimizer of {name!r} failed: see the log of the Qdrant server", name=name
                )
            await asyncio.sleep(pause_s)  # the server offers no call that waits for its optimizer
            pause_s = min(2 * pause_s, _POLL_LAST_S)
        return True

    async def apply_aliases(self, aliases: Mapping[str, str]) -> None:
        """See CollectionAdmin. One request, so that no reader ever finds an alias missing."""
        present = await self.aliases()
        changes: list[models.AliasOperations] = [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
            for alias, target in present.items()
            if aliases.get(alias) != target
        ]
        changes += [
            models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=target, alias_name=alias))
            for alias, target in aliases.items()
            if present.get(alias) != target
        ]
        if changes:
            with translated():
                await self._client.update_collection_aliases(change_aliases_operations=changes)

    async def aliases(self) -> dict[str, str]:
        """Alias to collection."""
        with translated():
            answer = await self._client.get_aliases()
        return {alias.alias_name: alias.collection_name for alias in answer.aliases}

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        """See PointWriter."""
        if not points:
            return await self._must_exist(name)
        ids = _checked(point.id for point in points)
        with translated():
            structs = [to_point(point_id, point) for point_id, point in zip(ids, points, strict=True)]
            await self._client.upsert(name, points=structs, wait=True)

    async def delete(self, name: str, ids: Sequence[PointId]) -> None:
        """See PointWriter."""
        if not ids:
            return await self._must_exist(name)
        unwanted = models.PointIdsList(points=[*_checked(ids)])
        with translated():
            await self._client.delete(name, points_selector=unwanted, wait=True)

    async def delete_matching(self, name: str, filter: Filter) -> None:
        """See PointWriter."""
        with translated():
            await self._client.delete(name, points_selector=models.FilterSelector(filter=to_filter(filter)), wait=True)

    async def query(self, name: str, query: EngineQuery) -> list[ScoredPoint]:
        """See PointReader."""
        return (await self.query_batch(name, [query]))[0]

    async def query_batch(self, name: str, queries: Sequence[EngineQuery]) -> list[list[ScoredPoint]]:
        """See PointReader."""
        with translated():
            requests = [to_request(query) for query in queries]
            asked = [request for request in requests if request is not None]
            if not asked:
                await self._client.get_collection(name)
                return [[] for _ in queries]
            answers = iter(await self._client.query_batch_points(name, requests=asked))
        return [
            [to_scored(point, query.with_payload, query.with_vectors) for point in next(answers).points]
            if request
            else []
            for query, request in zip(queries, requests, strict=True)
        ]

    async def retrieve(
        self, name: str, ids: Sequence[PointId], *, with_payload: Selector = True, with_vectors: Selector = False
    ) -> list[Record]:
        """See PointReader."""
        wanted = _checked(ids)
        if not wanted:
            await self._must_exist(name)
            return []
        with translated():
            records = await self._client.retrieve(
                name, ids=wanted, with_payload=with_payload, with_vectors=with_vectors
            )
        by_id = {to_id(record.id): to_record(record, with_payload, with_vectors) for record in records}
        return [by_id[point_id] for point_id in wanted if point_id in by_id]

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
        with translated():
            records, following = await self._client.scroll(
                name,
                scroll_filter=to_filter(filter) if filter is not None else None,
                limit=limit,
                offset=None if offset is None else canonical_id(offset),
                with_payload=with_payload,
                with_vectors=with_vectors,
            )
        points = [to_record(record, with_payload, with_vectors) for record in records]
        return Page(points, None if following is None else to_id(following))

    async def count(self, name: str, filter: Filter | None = None) -> int:
        """See PointReader."""
        with translated():
            answer = await self._client.count(
                name, count_filter=to_filter(filter) if filter is not None else None, exact=True
            )
        return answer.count

    async def snapshot(self, name: str, folder: Path) -> None:
        """Unsupported."""
        raise _no_snapshots(name)

    async def restore(self, name: str, folder: Path) -> None:
        """Unsupported."""
        raise _no_snapshots(name)

    async def _status(self, name: str) -> models.CollectionStatus:
        with translated():
            return (await self._client.get_collection(name)).status

    async def _must_exist(self, name: str) -> None:
        with translated():
            await self._client.get_collection(name)


async def open_qdrant(
    url: str, *, api_key: str | None = None, prefer_grpc: bool = True, timeout_s: float = 5.0
) -> QdrantEngine:
    """An engine over the server at `url`: by gRPC (port 6334) when wanted and answering, else by HTTP.

    EngineUnavailable when neither answers within `timeout_s`, which also bounds every later call.
    """
    if prefer_grpc:
        engine = _connect(url, api_key, timeout_s, prefer_grpc=True)
        try:
            await engine.names()
        except EngineUnavailable:
            await engine.close()
        else:
            return engine
    engine = _connect(url, api_key, timeout_s, prefer_grpc=False)
    try:
        await engine.names()
    except VectisError:
        await engine.close()
        raise
    return engine


def _connect(url: str, api_key: str | None, timeout_s: float, *, prefer_grpc: bool) -> QdrantEngine:
    with translated():
        client = AsyncQdrantClient(
            url=url, api_key=api_key, prefer_grpc=prefer_grpc, timeout=ceil(timeout_s), check_compatibility=False
        )
    return QdrantEngine(client)


def _checked(ids: Iterable[PointId]) -> list[PointId]:
    """The ids in their canonical form. InvalidInput for one that no engine takes."""
    return [canonical_id(point_id) for point_id in ids]


def _no_snapshots(name: str) -> Unsupported:
    return Unsupported(
        f"the qdrant adapter has no snapshots: save {name!r} with the snapshots of the Qdrant server itself",
        engine="qdrant",
    )
