"""Time, as something that is handed in."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time in UTC and a counter for durations."""

    def now(self) -> datetime:
        """Now, timezone-aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...
