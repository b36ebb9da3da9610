"""The use cases of points: upsert, delete, retrieve, scroll, count."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from vectis.domain.access import CollectionPass, Permission
from vectis.domain.collections import Collection
from vectis.domain.divergences import Divergences
from vectis.domain.errors import InvalidInput, LimitExceeded, PointNotFound, TooLarge
from vectis.domain.filters import Filter, check
from vectis.domain.points import Page, Point, PointId, Record, canonical_id, check_payload
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.engine import PointReader, PointWriter
from vectis.domain.queries import Selector
from vectis.domain.schema import check_vectors


class PointLimits(msgspec.Struct, frozen=True):
    """What one request may carry."""

    points_max: int = 10_000
    payload_bytes_max: int = 1_048_576
    page_max: int = 1_000


class ReadsAndWrites(PointReader, PointWriter, Protocol):
    """The two engine ports that points need."""


class PointService:
    """Reads and writes go to a collection or an alias; nothing is written unless every point of the request fits.

    What is written to a collection under rollout is written to its companions too. One that cannot take it diverges, which is
    kept before the write is acknowledged.
    """

    def __init__(
        self, *, directory: Directory, engine: ReadsAndWrites, divergences: Divergences, limits: PointLimits
    ) -> None:
        self._directory = directory
        self._divergences = divergences
        self._engine = engine
        self._limits = limits

    async def upsert(self, by: CollectionPass, points: Sequence[Point]) -> int:
        """Insert or replace points; on return they survive a kill.

        Raises CollectionNotFound, Conflict, InvalidInput, InvalidVector, WrongDimension, LimitExceeded, TooLarge; then nothing
        changed.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        to = await self._directory.written(by.collection)
        self._at_most("points", len(points), self._limits.points_max)
        self._check_all(points, to.collection)
        if points:
            await self._engine.upsert(to.collection.name, points)
        for follower in to.followers:
            async with self._divergences.noted(follower.name):
                self._check_all(points, follower)
                await self._engine.upsert(follower.name, points)
        return len(points)

    async def delete(self, by: CollectionPass, ids: Sequence[PointId]) -> None:
        """Remove points by id; absent ones are no error. Raises as upsert."""
        by.require(Permission.WRITE_COLLECTIONS)
        to = await self._directory.written(by.collection)
        self._at_most("ids", len(ids), self._limits.points_max)
        for i, id in enumerate(ids):
            canonical_id(id, at=f"ids[{i}]")
        await self._engine.delete(to.collection.name, ids)
        for follower in to.followers:
            async with self._divergences.noted(follower.name):
                await self._engine.delete(follower.name, ids)

    async def delete_matching(self, by: CollectionPass, filter: Filter) -> None:
        """Remove every point that matches. An empty filter is refused: it would match everything."""
        by.require(Permission.WRITE_COLLECTIONS)
        check(filter)
        if not (filter.must or filter.should or filter.must_not):
            raise InvalidInput(
                "filter: an empty filter matches every point; delete the collection instead", field="filter"
            )
        to = await self._directory.written(by.collection)
        await self._engine.delete_matching(to.collection.name, filter)
        for follower in to.followers:
            async with self._divergences.noted(follower.name):
                await self._engine.delete_matching(follower.name, filter)

    async def get(self, by: CollectionPass, id: PointId) -> Record:
        """One point with payload and vectors. Raises PointNotFound."""
        by.require(Permission.READ_COLLECTIONS)
        found = await self.retrieve(by, [id], with_payload=True, with_vectors=True)
        if not found:
            raise PointNotFound(f"{by.collection} holds no point {id}", name=by.collection, id=id)
        return found[0]

    async def retrieve(
        self, by: CollectionPass, ids: Sequence[PointId], *, with_payload: Selector, with_vectors: Selector
    ) -> list[Record]:
        """The points that exist, in the order of `ids`."""
        by.require(Permission.READ_COLLECTIONS)
        collection = await self._collection(by)
        self._at_most("ids", len(ids), self._limits.page_max)
        for i, id in enumerate(ids):
            canonical_id(id, at=f"ids[{i}]")
        return await self._engine.retrieve(collection.name, ids, with_payload=with_payload, with_vectors=with_vectors)

    async def scroll(
        self,
        by: CollectionPass,
        *,
        limit: int,
        offset: PointId | None,
        filter: Filter | None,
        with_payload: Selector,
        with_vectors: Selector,
    ) -> Page:
        """A page of points in id order."""
        by.require(Permission.READ_COLLECTIONS)
        collection = await self._collection(by)
        self._at_most("limit", limit, self._limits.page_max)
        if offset is not None:
            canonical_id(offset, at="offset")
        if filter is not None:
            check(filter)
        return await self._engine.scroll(
            collection.name,
            limit=limit,
            offset=offset,
            filter=filter,
            with_payload=with_payload,
            with_vectors=with_vectors,
        )

    async def count(self, by: CollectionPass, filter: Filter | None) -> int:
        """How many points match, exactly."""
        by.require(Permission.READ_COLLECTIONS)
        if filter is not None:
            check(filter)
        return await self._engine.count((await self._collection(by)).name, filter)

    async def _collection(self, by: CollectionPass) -> Collection:
        return (await self._directory.resolve(by.collection)).collection

    def _check_all(self, points: Sequence[Point], collection: Collection) -> None:
        for i, point in enumerate(points):
            self._check(point, collection, f"points[{i}]")

    def _check(self, point: Point, collection: Collection, at: str) -> None:
        canonical_id(point.id, at=f"{at}.id")
        check_vectors(collection.profile.schema, point.vectors, at=f"{at}.vector")
        check_payload(point.payload, at=f"{at}.payload")
        size = len(msgspec.json.encode(point.payload)) if point.payload else 0
        if size > self._limits.payload_bytes_max:
            raise TooLarge(
                f"{at}.payload: {size} bytes, the maximum is {self._limits.payload_bytes_max}",
                field=f"{at}.payload",
                maximum=self._limits.payload_bytes_max,
            )

    @staticmethod
    def _at_most(field: str, given: int, maximum: int) -> None:
        if given > maximum:
            raise LimitExceeded(
                f"{field}: {given}, the maximum is {maximum}; send it in parts", field=field, maximum=maximum
            )
