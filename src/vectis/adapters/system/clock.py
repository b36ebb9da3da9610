"""The real clock."""

from datetime import UTC, datetime
from time import monotonic


class SystemClock:
    """The machine's wall time and its steady counter."""

    def now(self) -> datetime:
        """Now, timezone-aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return monotonic()
