"""What the engine's shortcuts save, as it was sampled, for the metrics page."""

from prometheus_client import CollectorRegistry, Counter


class ShortcutMetrics:
    """Serves the ShortcutLog port. How many times as fast a shortcut is: the seconds of the long way by those of the short."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._samples = Counter(
            "vectis_shortcut_samples",
            "Queries that were also asked without a shortcut of the engine",
            ["collection", "shortcut"],
            registry=registry,
        )
        self._seconds = Counter(
            "vectis_shortcut_seconds",
            "Time of these queries with the shortcut (short) and without it (long)",
            ["collection", "shortcut", "way"],
            registry=registry,
        )

    def append_shortcut(self, collection: str, shortcut: str, *, short_s: float, long_s: float) -> None:
        """See the port."""
        self._samples.labels(collection, shortcut).inc()
        self._seconds.labels(collection, shortcut, "short").inc(short_s)
        self._seconds.labels(collection, shortcut, "long").inc(long_s)
