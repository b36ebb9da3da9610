"""Where it is kept what modes of search gain. Every method is one transaction and may raise StoreUnavailable."""

from typing import Protocol

from vectis.domain.gains import Gain


class GainStore(Protocol):
    """Of each collection and two modes what was measured last; it goes with the collection."""

    async def put_gain(self, collection: str, gain: Gain) -> None:
        """Keep it in the place of an earlier one of the same modes. CollectionNotFound; DiskFull."""
        ...

    async def gains(self, collection: str) -> list[Gain]:
        """Those of a collection, by mode and what it was compared with; empty on absence."""
        ...

    async def all_gains(self) -> dict[str, list[Gain]]:
        """Those of all collections that have any and are not deleted, by name."""
        ...
