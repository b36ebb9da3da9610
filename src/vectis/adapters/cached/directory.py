"""The directory of collections and routes, read from the control store at most once per `max_age_s` and after each own change.

A change made by another process is therefore seen after `max_age_s` at the latest; an unknown name is looked up at once.
"""

import asyncio

from vectis.domain.collections import Collection
from vectis.domain.errors import CollectionNotFound
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import CollectionStore
from vectis.domain.ports.directory import Resolved
from vectis.domain.routes import RouteTable


class CachedDirectory:
    """Serves the Directory port."""

    def __init__(self, store: CollectionStore, clock: Clock, *, max_age_s: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._max_age_s = max_age_s
        self._collections: dict[str, Collection] = {}
        self._routes = RouteTable()
        self._expires = 0.0
        self._reading = asyncio.Lock()

    async def resolve(self, name: str, key: str = "") -> Resolved:
        if self._clock.monotonic() >= self._expires:
            await self._read()
        found = self._find(name, key)
        if found is None:
            await self._read()
            found = self._find(name, key)
        if found is None:
            raise CollectionNotFound(
                f"no collection or alias is called {name[:140]!r}; GET /api/v1/collections lists them", name=name[:140]
            )
        return found

    def forget(self) -> None:
        self._expires = 0.0

    def _find(self, name: str, key: str) -> Resolved | None:
        target = self._routes.assign(name, key)
        collection = self._collections.get(target.collection)
        return None if collection is None else Resolved(collection=collection, variant=target.variant)

    async def _read(self) -> None:
        async with self._reading:
            collections, routes = await self._store.collections(), await self._store.routes()
            self._collections = {collection.name: collection for collection in collections}
            self._routes = routes
            self._expires = self._clock.monotonic() + self._max_age_s
