"""The use cases of the catalog: create, list, describe and delete collections; set aliases; index payload keys."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol
from uuid import uuid4

import msgspec

from vectis.catalog.profiles import INDEXES_MAX, Wishes, tailored
from vectis.domain.access import CollectionPass, Pass, Permission, tenant_of
from vectis.domain.collections import Collection
from vectis.domain.errors import (
    CollectionExists,
    CollectionNotFound,
    Conflict,
    InvalidInput,
    LimitExceeded,
    NotFound,
    VectisError,
)
from vectis.domain.jobs import MAINTENANCE_QUEUE, Job, JobState
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import CollectionStore, JobLedger
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.engine import CollectionAdmin
from vectis.domain.ports.jobs import JobQueue
from vectis.domain.profiles import CollectionProfile
from vectis.domain.routes import Route, Target
from vectis.domain.schema import CollectionState, PayloadIndexKind, check_name

OPTIMIZE = "optimize"
"""The job kind that builds what is unindexed. Payload: {"collection": name}."""

COLLECTIONS_MAX = 1000


class CatalogStore(CollectionStore, JobLedger, Protocol):
    """The parts of the control store that the catalog keeps."""


class Described(msgspec.Struct, frozen=True):
    """A collection with its state in the engine and the aliases that lead to it."""

    collection: Collection
    state: CollectionState
    aliases: tuple[str, ...]


class CatalogService:
    """Keeps the control store and the engine in step: the store remembers first, the engine holds the data."""

    def __init__(
        self,
        *,
        store: CatalogStore,
        queue: JobQueue,
        admin: CollectionAdmin,
        directory: Directory,
        profiles: Mapping[str, CollectionProfile],
        clock: Clock,
    ) -> None:
        self._store = store
        self._queue = queue
        self._admin = admin
        self._directory = directory
        self._profiles = profiles
        self._clock = clock

    def profiles(self, by: Pass) -> list[CollectionProfile]:
        """The named recipes that a collection can be created from."""
        by.require(Permission.READ_COLLECTIONS)
        return list(self._profiles.values())

    async def create(self, by: CollectionPass, profile: str, wishes: Wishes) -> Described:
        """Create a collection; on return it survives a kill.

        The store decides who owns the name; a kill before the engine followed is mended by `reconcile`.
        Raises InvalidName, InvalidInput, LimitExceeded, CollectionExists, NotFound for the profile.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        name = by.collection
        check_name(name)
        if profile not in self._profiles:
            known = ", ".join(self._profiles)
            raise NotFound(f"profile: no profile is called {profile!r}; there are {known}", field="profile")
        collection = Collection(
            name=name, profile=tailored(self._profiles[profile], wishes), created_at=self._clock.now()
        )
        if len(await self._store.collections()) >= COLLECTIONS_MAX:
            raise LimitExceeded(f"there are {COLLECTIONS_MAX} collections, the maximum; delete one first")
        await self._store.add_collection(collection)
        try:
            await self._create_in_engine(collection)
        except VectisError:
            await self._store.remove_collection(name)
            raise
        self._directory.forget()
        return await self._described(by)

    async def describe(self, by: CollectionPass) -> Described:
        """A collection, or the one behind an alias with a single target. Raises CollectionNotFound."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._described(by)

    async def collections(self, by: Pass) -> list[Described]:
        """Those that the caller sees, by name; one that the engine has lost is left out and reported by readiness."""
        by.require(Permission.READ_COLLECTIONS)
        found: list[Described] = []
        routes = await self._seen_routes(by)
        for collection in await self._store.collections():
            if not by.sees(collection.name):
                continue
            try:
                state = await self._admin.describe(collection.name)
            except CollectionNotFound:
                continue
            found.append(Described(collection=collection, state=state, aliases=_aliases_of(collection.name, routes)))
        return found

    async def delete(self, by: CollectionPass) -> None:
        """Delete a collection and its documents. Raises CollectionNotFound, or Conflict while an alias leads to it."""
        by.require(Permission.DELETE_COLLECTIONS)
        name = by.collection
        if await self._store.collection(name) is None:
            raise CollectionNotFound(f"no collection is called {name[:140]!r}", name=name[:140])
        aliases = _aliases_of(name, (await self._store.routes()).routes())
        if aliases:
            raise Conflict(
                f"alias {aliases[0]!r} leads to {name}: point it elsewhere or delete it first",
                name=name, alias=aliases[0],
            )  # fmt: skip
        await self._store.remove_collection(name)
        self._directory.forget()
        await self._admin.drop(name)

    async def optimize(self, by: CollectionPass) -> bool:
        """Build what is unindexed; True when something was built. Raises CollectionNotFound, Conflict."""
        by.require(Permission.WRITE_COLLECTIONS)
        return await self._admin.optimize((await self._directory.resolve_one(by.collection)).name)

    async def optimize_later(self, by: CollectionPass) -> str:
        """The id of the job that builds what is unindexed: the one that waits already, or a fresh one.

        Raises CollectionNotFound, Conflict.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        name = (await self._directory.resolve_one(by.collection)).name
        job = Job(
            id=uuid4().hex,
            kind=OPTIMIZE,
            state=JobState.PENDING,
            payload={"collection": name},
            created_at=self._clock.now(),
            queue=MAINTENANCE_QUEUE,
            key=f"{OPTIMIZE}:{name}",
        )
        return await self._queue.submit(job)

    async def create_index(self, by: CollectionPass, key: str, kind: PayloadIndexKind) -> None:
        """Index a payload key. Idempotent. Raises CollectionNotFound, Conflict, InvalidInput, LimitExceeded."""
        by.require(Permission.WRITE_COLLECTIONS)
        if not key.strip() or len(key) > 256:
            raise InvalidInput("key: name a payload key of 1 to 256 characters", field="key")
        collection = await self._directory.resolve_one(by.collection)
        state = await self._admin.describe(collection.name)
        if key not in state.payload_indexes and len(state.payload_indexes) >= INDEXES_MAX:
            raise LimitExceeded(
                f"{collection.name} has {INDEXES_MAX} payload indexes, the maximum", maximum=INDEXES_MAX
            )
        await self._admin.create_payload_index(collection.name, key, kind)

    async def reconcile(self, by: Pass) -> None:
        """Bring the engine to what the store says: create what is missing, drop what nobody owns, set its aliases."""
        by.require(Permission.SYSTEM_CONFIG)
        held = set(await self._admin.names())
        owned = {collection.name: collection for collection in await self._store.collections()}
        for name in sorted(owned.keys() - held):
            await self._create_in_engine(owned[name])
        for name in sorted(held - owned.keys()):
            if await self._store.collection(name) is None:
                await self._admin.drop(name)
        await self._aliases_changed()

    async def aliases(self, by: Pass) -> list[Route]:
        """The aliases that the caller sees, by name."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._seen_routes(by)

    async def set_alias(self, by: CollectionPass, to: CollectionPass) -> Route:
        """Point the alias that `by` is for at the collection that `to` is for, in one atomic change.

        Both are of one tenant. Raises InvalidName, InvalidInput, CollectionNotFound, CollectionExists.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        to.require(Permission.WRITE_COLLECTIONS)
        check_name(by.collection, what="alias")
        if tenant_of(by.collection) != tenant_of(to.collection):
            raise InvalidInput(
                f"collection: alias {by.collection!r} and collection {to.collection[:140]!r} are not of one tenant; "
                "an alias stays within its tenant",
                field="collection",
            )
        route = await self._store.set_route(by.collection, [Target(collection=to.collection)])
        await self._aliases_changed()
        return route

    async def delete_alias(self, by: CollectionPass) -> None:
        """Remove an alias; the collection stays. Raises NotFound."""
        by.require(Permission.WRITE_COLLECTIONS)
        if not await self._store.remove_route(by.collection):
            raise NotFound(f"no alias is called {by.collection[:140]!r}", name=by.collection[:140])
        await self._aliases_changed()

    async def _described(self, by: CollectionPass) -> Described:
        collection = (await self._directory.resolve(by.collection)).collection
        return Described(
            collection=collection,
            state=await self._admin.describe(collection.name),
            aliases=_aliases_of(collection.name, await self._seen_routes(by)),
        )

    async def _seen_routes(self, by: Pass) -> list[Route]:
        return [route for route in (await self._store.routes()).routes() if by.sees(route.alias)]

    async def _aliases_changed(self) -> None:
        """The store decides; the engine's own aliases follow it."""
        self._directory.forget()
        routes = (await self._store.routes()).routes()
        await self._admin.apply_aliases({route.alias: route.targets[0].collection for route in routes})

    async def _create_in_engine(self, collection: Collection) -> None:
        with suppress(CollectionExists):  # reconcile came first
            await self._admin.create(collection.name, collection.profile.schema)


def _aliases_of(collection: str, routes: Iterable[Route]) -> tuple[str, ...]:
    return tuple(route.alias for route in routes if any(target.collection == collection for target in route.targets))
