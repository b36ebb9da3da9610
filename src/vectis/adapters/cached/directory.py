"""The directory of collections and routes, kept in memory and read anew from the control store behind the answers.

A change that was announced is seen by the next look in every process of the server, and so is an unknown name. One that was not
(by another host, or by a process that died before it could) is seen after `max_age_s` and the time of one read.
"""

import asyncio

from vectis.domain.collections import Collection
from vectis.domain.errors import CollectionNotFound, Conflict
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import CollectionStore
from vectis.domain.ports.directory import UNROUTED, Resolved, Written
from vectis.domain.ports.versions import Versions
from vectis.domain.routes import RoutePlan, RouteTable, Routing, Target


class CachedDirectory:
    """Serves the Directory port. No answer waits for a read unless it must see a change."""

    def __init__(self, store: CollectionStore, clock: Clock, versions: Versions, *, max_age_s: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._versions = versions
        self._max_age_s = max_age_s
        self._collections: dict[str, Collection] = {}
        self._routes = RouteTable()
        self._expires = 0.0
        self._seen: int | None = None
        self._begun = self._ended = 0
        self._reading: asyncio.Task[None] | None = None

    async def resolve(self, name: str, routing: Routing = UNROUTED) -> Resolved:
        if self._seen != self._versions.directory():
            await self._read_anew()
        elif self._clock.monotonic() >= self._expires:
            self._begin_reading()
        found = self._find(name, routing)
        if found is None:
            await self._read_anew()
            found = self._find(name, routing)
        if found is None:
            raise CollectionNotFound(
                f"no collection or alias is called {name[:140]!r}; GET /api/v1/collections lists them", name=name[:140]
            )
        return found

    async def written(self, name: str) -> Written:
        resolved = await self.resolve(name)
        first = resolved.collection
        if resolved.route is not None:  # one target answers for all, whichever the key was
            first = self._collections.get(resolved.route.targets[0].collection, first)
        others = (self._collections.get(each) for each in self._routes.companions(first.name))
        return Written(first, tuple(other for other in others if other is not None))

    async def resolve_one(self, name: str) -> Collection:
        collection = (await self.resolve(name)).collection
        route = self._routes.get(name)
        if route is not None and len(route.targets) > 1:
            targets = ", ".join(target.collection for target in route.targets)
            raise Conflict(
                f"alias {name!r} leads to several collections ({targets}), so what to change is not clear: "
                "name one of them",
                alias=name,
            )
        return collection

    def forget(self) -> None:
        self._versions.directory_changed()

    def _find(self, name: str, routing: Routing) -> Resolved | None:
        route = self._routes.get(name)
        plan = RoutePlan((Target(collection=name),)) if route is None else route.plan
        target = plan.choose(routing)
        collection = self._collections.get(target.collection)
        return None if collection is None else Resolved(collection, target.variant, route)

    async def _read_anew(self) -> None:
        """Return when a read that began after this call has ended; calls that wait together share it."""
        wanted = self._begun + 1
        while self._ended < wanted:
            await asyncio.shield(self._begin_reading())

    def _begin_reading(self) -> asyncio.Task[None]:
        if self._reading is None or self._reading.done():
            self._begun += 1
            self._reading = asyncio.get_running_loop().create_task(self._read(self._begun))
            self._reading.add_done_callback(self._end_reading)
        return self._reading

    async def _read(self, number: int) -> None:
        mark = self._versions.directory()  # before the read, so that a change meanwhile shows
        collections, routes = await self._store.collections(), await self._store.routes()
        known = {collection.name: collection for collection in collections}
        unannounced = mark == self._seen and not self._is_picture(known, routes)
        self._collections, self._routes = known, routes
        self._ended = number
        self._seen = mark
        if unannounced:  # answers that were kept under the mark came from another picture
            self._versions.directory_changed()

    def _is_picture(self, collections: dict[str, Collection], routes: RouteTable) -> bool:
        """Whether these are what is known already, but for corpus statistics, which no answer depends on."""
        return routes.routes() == self._routes.routes() and [(c.name, c.profile) for c in collections.values()] == [
            (c.name, c.profile) for c in self._collections.values()
        ]

    def _end_reading(self, reading: asyncio.Task[None]) -> None:
        """A read that failed leaves the old picture standing; who waited for it is told why, the others need not know."""
        if self._reading is reading:
            self._reading = None
        self._expires = self._clock.monotonic() + self._max_age_s
        if not reading.cancelled():
            reading.exception()
