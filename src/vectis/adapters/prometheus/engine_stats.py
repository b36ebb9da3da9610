"""What the embedded engine says of itself, as metrics. They are asked for when the page is, by the process that is asked."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_OF_COLLECTION = {
    "points": "Points of a collection",
    "unindexed": "Points that no index holds yet",
    "building": "1 while a build of the index runs",
    "waiting": "Queries that wait",
}
_COUNTED = {"queries": "Queries answered", "batches": "Batches that they were joined into"}
_OF_BUILD = {"build_s": "Seconds of the last build", "swap_s": "Seconds that its swap held queries up"}


class EngineStats(Collector):
    """One answer of the engine's `stats`."""

    def __init__(self, stats: Mapping[str, Any]) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        collections: Mapping[str, Mapping[str, Any]] = self._stats["collections"]
        for field, text in _OF_COLLECTION.items():
            gauge = GaugeMetricFamily(f"vectis_engine_collection_{field}", text, labels=["collection"])
            for name, values in collections.items():
                gauge.add_metric([name], float(values[field]))
            yield gauge
        for field, text in _COUNTED.items():
            counter = CounterMetricFamily(f"vectis_engine_{field}", text, labels=["collection"])
            for name, values in collections.items():
                counter.add_metric([name], float(values[field]))
            yield counter
        for field, text in _OF_BUILD.items():
            gauge = GaugeMetricFamily(f"vectis_engine_last_{field[:-2]}_seconds", text, labels=["collection"])
            for name, values in collections.items():
                if values["last_build"]:
                    gauge.add_metric([name], float(values["last_build"][field]))
            yield gauge
        yield CounterMetricFamily(
            "vectis_engine_build_failures", "Builds started by itself that failed", value=self._stats["failures"]
        )
        yield CounterMetricFamily(
            "vectis_engine_flush_failures", "Flushes that failed", value=self._stats["flush_failures"]
        )
        yield GaugeMetricFamily(
            "vectis_engine_resident_bytes", "Memory of the engine process", self._stats["resident_bytes"]
        )
        yield GaugeMetricFamily(
            "vectis_disk_free_bytes", "Free space for the engine's folder", self._stats["disk_free_bytes"]
        )
