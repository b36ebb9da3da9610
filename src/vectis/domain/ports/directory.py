"""Finding a collection by the name that a caller used, on the path of every query."""

from typing import Protocol

import msgspec

from vectis.domain.collections import Collection
from vectis.domain.routes import Route, Routing

UNROUTED = Routing()
"""A request that says nothing about who shall answer it."""


class Resolved(msgspec.Struct, frozen=True):
    """The collection behind a name, and the variant it plays in the name's route; no alias has no route."""

    collection: Collection
    variant: str
    route: Route | None = None


class Written(msgspec.Struct, frozen=True):
    """Where a write goes: to the collection behind the name, and to those that are kept in step with it."""

    collection: Collection
    followers: tuple[Collection, ...] = ()


class Directory(Protocol):
    """Resolves collections and aliases from memory."""

    async def resolve(self, name: str, routing: Routing = UNROUTED) -> Resolved:
        """The collection for this name and request. CollectionNotFound when neither alias nor collection.

        InvalidInput when the request wants a variant that there is not.
        """
        ...

    async def written(self, name: str) -> Written:
        """Where what is written under this name goes. CollectionNotFound."""
        ...

    async def resolve_one(self, name: str) -> Collection:
        """The one collection that a change under this name is for. CollectionNotFound; Conflict when an alias has several."""
        ...

    def forget(self) -> None:
        """Let every process of the server read the store again before its next answer: called after each own change."""
        ...
