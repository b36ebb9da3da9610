"""Where search writes its measurements."""

from typing import Protocol

from vectis.domain.evidence import ShadowPair
from vectis.domain.measurements import Measurement
from vectis.domain.routes import Route


class MeasurementLog(Protocol):
    """Append-only; never waits, never fails the query it measures."""

    def append(self, measurement: Measurement) -> None:
        """Keep one measurement."""
        ...


class PairLog(Protocol):
    """Append-only; never waits."""

    def append_pair(self, route: Route, pair: ShadowPair) -> None:
        """Keep a query that was asked of both variants of a route."""
        ...
