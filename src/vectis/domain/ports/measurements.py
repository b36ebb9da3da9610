"""Where search writes its measurements."""

from typing import Protocol

from vectis.domain.measurements import Measurement


class MeasurementLog(Protocol):
    """Append-only; never waits, never fails the query it measures."""

    def append(self, measurement: Measurement) -> None:
        """Keep one measurement."""
        ...
