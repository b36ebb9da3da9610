"""Recall as it was sampled, for the metrics page and the log."""

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from vectis.adapters.prometheus.metrics import FILTER_KEYS_MAX, OTHER_KEYS

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("vectis.recall")


class RecallMetrics:
    """Serves the RecallLog port. Recall is found results by exact ones; filters are told apart by the keys that they test."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["collection", "filter"]
        self._exact = Counter(
            "vectis_recall_exact_results", "Results of sampled queries by exact search", labels, registry=registry
        )
        self._found = Counter(
            "vectis_recall_found_results", "Those of them that the answers had", labels, registry=registry
        )
        self._effort = Gauge(
            "vectis_search_effort_ratio",
            "How many times as hard as its settings say a collection is searched",
            ["collection"],
            registry=registry,
        )
        self._known: set[tuple[str, str]] = set()

    def append_recall(self, collection: str, filter_keys: tuple[str, ...], *, found: int, expected: int) -> None:
        """See the port."""
        labels = (collection, ",".join(sorted(filter_keys)))
        if labels not in self._known and len(self._known) >= FILTER_KEYS_MAX:
            labels = (collection, OTHER_KEYS)
        self._known.add(labels)
        self._exact.labels(*labels).inc(expected)
        self._found.labels(*labels).inc(found)

    def effort_raised(self, collection: str, effort: int, *, recall: float) -> None:
        """See the port."""
        self._effort.labels(collection).set(effort)
        log.warning("too little is found, search looks harder", collection=collection, recall=recall, effort=effort)
