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


class ShortcutLog(Protocol):
    """Append-only; never waits."""

    def append_shortcut(self, collection: str, shortcut: str, *, short_s: float, long_s: float) -> None:
        """Keep how long the same took with a shortcut of the engine and without it."""
        ...


class RecallLog(Protocol):
    """Append-only; never waits."""

    def append_recall(self, collection: str, filter_keys: tuple[str, ...], *, found: int, expected: int) -> None:
        """Keep of one query how many results its exact answer had, and how many of these its answer had."""
        ...

    def effort_raised(self, collection: str, effort: int, *, recall: float) -> None:
        """Keep that a collection is searched `effort` times as hard from now on, since too little was found."""
        ...
