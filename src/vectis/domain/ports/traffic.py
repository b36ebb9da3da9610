"""Where the traffic of aliases under rollout is kept. Every method is one transaction and may raise StoreUnavailable."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from vectis.domain.evidence import ShadowPair
from vectis.domain.traffic import PairReport, TickReport, TrafficWindow


class TrafficStore(Protocol):
    """Ticks and shadow pairs by alias and version of its route; only measured once under each version."""

    async def put_traffic(self, ticks: Sequence[TickReport], pairs: Sequence[PairReport]) -> None:
        """Keep reports. One of the same process about the same tick and variant replaces the former; pairs stay. DiskFull."""
        ...

    async def traffic(
        self, alias: str, route_version: int, *, before: datetime, since: datetime | None = None
    ) -> list[TrafficWindow]:
        """Ticks that began before a time, and not before another one, oldest first. Keys count as first seen in these."""
        ...

    async def shadow_pairs(self, alias: str, route_version: int) -> list[ShadowPair]:
        """Oldest first."""
        ...

    async def trim_traffic(self, before: datetime) -> None:
        """Remove what is older than a time."""
        ...
