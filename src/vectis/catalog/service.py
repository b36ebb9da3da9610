"""The use cases of the catalog: create, list, describe and delete collections; set aliases; index payload keys."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from vectis.catalog.profiles import INDEXES_MAX, Wishes, tailored
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
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import CollectionStore
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.engine import CollectionAdmin
from vectis.domain.profiles import CollectionProfile
from vectis.domain.routes import Route, Target
from vectis.domain.schema import CollectionState, PayloadIndexKind, check_name

COLLECTIONS_MAX = 1000


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
        store: CollectionStore,
        admin: CollectionAdmin,
        directory: Directory,
        profiles: Mapping[str, CollectionProfile],
        clock: Clock,
    ) -> None:
        self._store = store
        self._admin = admin
        self._directory = directory
        self._profiles = profiles
        self._clock = clock

    def profiles(self) -> list[CollectionProfile]:
        """The named recipes that a collection can be created from."""
        return list(self._profiles.values())

    async def create(self, name: str, profile: str, wishes: Wishes) -> Described:
        """Create a collection; on return it survives a kill.

        The store decides who owns the name; a kill before the engine followed is mended by `reconcile`.
        Raises InvalidName, InvalidInput, LimitExceeded, CollectionExists, NotFound for the profile.
        """
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
        return await self.describe(name)

    async def describe(self, name: str) -> Described:
        """A collection, or the one behind an alias with a single target. Raises CollectionNotFound."""
        collection = (await self._directory.resolve(name)).collection
        return Described(
            collection=collection,
            state=await self._admin.describe(collection.name),
            aliases=_aliases_of(collection.name, (await self._store.routes()).routes()),
        )

    async def collections(self) -> list[Described]:
        """All collections, by name; one that the engine has lost is left out here and reported by readiness."""
        found: list[Described] = []
        routes = (await self._store.routes()).routes()
        for collection in await self._store.collections():
            try:
                state = await self._admin.describe(collection.name)
            except CollectionNotFound:
                continue
            found.append(Described(collection=collection, state=state, aliases=_aliases_of(collection.name, routes)))
        return found

    async def delete(self, name: str) -> None:
        """Delete a collection and its documents. Raises CollectionNotFound, or Conflict while an alias leads to it."""
        if await self._store.collection(name) is None:
            raise CollectionNotFound(f"no collection is called {name!r}", name=name)
        aliases = _aliases_of(name, (await self._store.routes()).routes())
        if aliases:
            raise Conflict(
                f"alias {aliases[0]!r} leads to {name}: point it elsewhere or delete it first",
                name=name, alias=aliases[0],
            )  # fmt: skip
        await self._store.remove_collection(name)
        self._directory.forget()
        await self._admin.drop(name)

    async def optimize(self, name: str) -> bool:
        """Build what is unindexed; True when something was built. Raises CollectionNotFound, Conflict."""
        return await self._admin.optimize((await self._directory.resolve_one(name)).name)

    async def create_index(self, name: str, key: str, kind: PayloadIndexKind) -> None:
        """Index a payload key. Idempotent. Raises CollectionNotFound, Conflict, InvalidInput, LimitExceeded."""
        if not key.strip() or len(key) > 256:
            raise InvalidInput("key: name a payload key of 1 to 256 characters", field="key")
        collection = await self._directory.resolve_one(name)
        state = await self._admin.describe(collection.name)
        if key not in state.payload_indexes and len(state.payload_indexes) >= INDEXES_MAX:
            raise LimitExceeded(
                f"{collection.name} has {INDEXES_MAX} payload indexes, the maximum", maximum=INDEXES_MAX
            )
        await self._admin.create_payload_index(collection.name, key, kind)

    async def reconcile(self) -> None:
        """Bring the engine to what the store says: create what is missing, drop what nobody owns, set its aliases."""
        held = set(await self._admin.names())
        owned = {collection.name: collection for collection in await self._store.collections()}
        for name in sorted(owned.keys() - held):
            await self._create_in_engine(owned[name])
        for name in sorted(held - owned.keys()):
            if await self._store.collection(name) is None:
                await self._admin.drop(name)
        await self._aliases_changed()

    async def aliases(self) -> list[Route]:
        """All aliases, by name."""
        return list((await self._store.routes()).routes())

    async def set_alias(self, alias: str, collection: str) -> Route:
        """Point an alias at a collection in one atomic change. Raises InvalidName, CollectionNotFound, CollectionExists."""
        check_name(alias, what="alias")
        route = await self._store.set_route(alias, [Target(collection=collection)])
        await self._aliases_changed()
        return route

    async def delete_alias(self, alias: str) -> None:
        """Remove an alias; the collection stays. Raises NotFound."""
        if not await self._store.remove_route(alias):
            raise NotFound(f"no alias is called {alias!r}", name=alias)
        await self._aliases_changed()

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
