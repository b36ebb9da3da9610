"""The engine, as four narrow ports. Names are collections or the engine's own aliases; all errors are of domain/errors.py.

Every method may raise EngineUnavailable; reads may be repeated by the caller without harm, and so may writes (idempotent).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from vectis.domain.filters import Filter
from vectis.domain.points import Page, Point, PointId, Record, ScoredPoint
from vectis.domain.queries import EngineQuery, Selector
from vectis.domain.schema import CollectionSchema, CollectionState, PayloadIndexKind


class EngineFeatures(msgspec.Struct, frozen=True):
    """What an engine lacks is refused with Unsupported, never emulated in silence."""

    name: str
    quantization: bool
    hnsw: bool
    snapshots: bool


class CollectionAdmin(Protocol):
    """Makes, changes and describes collections."""

    @property
    def features(self) -> EngineFeatures:
        """What this engine can do."""
        ...

    async def create(self, name: str, schema: CollectionSchema) -> None:
        """Create it with its payload indexes; durable on return. CollectionExists when there is one."""
        ...

    async def drop(self, name: str) -> bool:
        """Remove it and its data; False when it was not there. Idempotent."""
        ...

    async def names(self) -> list[str]:
        """All collections, sorted."""
        ...

    async def describe(self, name: str) -> CollectionState:
        """Counts and state now. CollectionNotFound on absence."""
        ...

    async def troubles(self) -> list[str]:
        """What works worse than it should, in words that name no collection. DiskFull when collections cannot be served."""
        ...

    async def create_payload_index(self, name: str, key: str, kind: PayloadIndexKind) -> None:
        """Index payload values at `key`. Idempotent."""
        ...

    async def optimize(self, name: str) -> bool:
        """Build what is unindexed and return when queries use it; False when there was nothing to do. Queries go on meanwhile."""
        ...

    async def apply_aliases(self, aliases: Mapping[str, str]) -> None:
        """Make the engine's own aliases exactly these (alias -> collection), in one atomic change. Idempotent."""
        ...

    async def aliases(self) -> dict[str, str]:
        """The engine's own aliases."""
        ...


class PointWriter(Protocol):
    """Writes points. What returned survives a kill of every process."""

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Insert or replace whole points, in order. All or nothing is visible per point, not per call."""
        ...

    async def delete(self, name: str, ids: Sequence[PointId]) -> None:
        """Remove points; absent ones are no error."""
        ...

    async def delete_matching(self, name: str, filter: Filter) -> None:
        """Remove every point that matches."""
        ...


class PointReader(Protocol):
    """Reads points; sees every write that returned before."""

    async def query(self, name: str, query: EngineQuery) -> list[ScoredPoint]:
        """Best first. An empty collection gives an empty list."""
        ...

    async def query_batch(self, name: str, queries: Sequence[EngineQuery]) -> list[list[ScoredPoint]]:
        """One answer per query, in order, in one exchange with the engine."""
        ...

    async def retrieve(
        self, name: str, ids: Sequence[PointId], *, with_payload: Selector = True, with_vectors: Selector = False
    ) -> list[Record]:
        """The points that exist, in the order of `ids`; absent ones are left out."""
        ...

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
        """Points in id order from `offset` (included) on."""
        ...

    async def count(self, name: str, filter: Filter | None = None) -> int:
        """How many points match, exactly."""
        ...


class SnapshotStore(Protocol):
    """Images of one collection as files."""

    async def snapshot(self, name: str, folder: Path) -> None:
        """Write a consistent image into `folder`, which must not exist; writes wait meanwhile, queries do not."""
        ...

    async def restore(self, name: str, folder: Path) -> None:
        """Create `name` from an image; CollectionExists when there is one. The image stays untouched."""
        ...


class Engine(CollectionAdmin, PointWriter, PointReader, SnapshotStore, Protocol):
    """All four, as wiring hands it round; a feature asks for the one it needs."""
