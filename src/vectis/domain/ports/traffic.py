"""Where the traffic of aliases under rollout is kept. Every method is one transaction and may raise StoreUnavailable."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from vectis.domain.evidence import ShadowPair
from vectis.domain.traffic import PairReport, TickReport


class TrafficStore(Protocol):
    """Ticks and shadow pairs by alias and version of its route; only measured once under each version."""

    async def put_traffic(self, ticks: Sequence[TickReport], pairs: Sequence[PairReport]) -> None:
        """Keep reports. One of the same process about the same tick and variant replaces the former; pairs stay. DiskFull."""
        ...

    async def traffic(self, alias: str, route_version: int, *, since: datetime, before: datetime) -> list[TickReport]:
        """Ticks that began in this time, under this version of the route and later ones; oldest first."""
        ...

    async def shadow_pairs(self, alias: str, route_version: int, *, since: datetime) -> list[ShadowPair]:
        """Those since a time, under this version of the route and later ones; oldest first."""
        ...

    async def trim_traffic(self, before: datetime) -> None:
        """Remove what is older than a time, feedback too, but nothing of an alias whose rollout is under way."""
        ...
