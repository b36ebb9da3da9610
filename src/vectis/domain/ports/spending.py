"""Where it is kept what a day's use of a paid model has cost. Every method is one transaction and may raise StoreUnavailable."""

from datetime import date
from typing import Protocol


class SpendingStore(Protocol):
    """One sum for each day, of all who share the store; in whatever currency they count."""

    async def spend(self, day: date, cost: float, *, most: float) -> bool:
        """Add `cost` to what `day` has cost; False, and nothing added, when that would be more than `most`. DiskFull.

        Those that spend at the same time cannot spend more than `most` together.
        """
        ...

    async def give_back(self, day: date, cost: float) -> None:
        """Take `cost` off what `day` has cost; less than 0 adds to it, whatever there is."""
        ...

    async def spent(self, day: date) -> float:
        """What `day` has cost so far."""
        ...
