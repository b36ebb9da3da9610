"""The metrics of one process. Names and labels are part of the contract: docs/operations.md lists them."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from vectis.domain.measurements import Measurement

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)

JOB_SECONDS = (0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)

STAGES = ("embed", "generate", "engine", "rerank", "assemble")

FILTER_KEYS = "vectis_search_filter_keys"
FILTER_KEYS_MAX = 500
OTHER_KEYS = "(others)"

STORED_VECTORS = "The cache of vectors, of all processes on one control store"

COST_TODAY = "What hypothetical answers cost today (UTC), of all processes on one control store"

ReadCounts = Callable[[], Mapping[str, float]]


class ProcessMetrics:
    """Serves the MeasurementLog port and counts requests."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="vectis", registry=self.registry)
        Gauge("vectis_build_info", "Always 1; the label says the version", ["version"], registry=self.registry).labels(
            version
        ).set(1)
        self._requests = Counter(
            "vectis_http_requests", "Requests answered", ["operation", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "vectis_http_request_duration_seconds",
            "Time to answer",
            ["operation"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._searches = Counter(
            "vectis_search_requests",
            "Searches by outcome",
            ["collection", "variant", "mode", "outcome"],
            registry=self.registry,
        )
        self._search_seconds = Histogram(
            "vectis_search_duration_seconds",
            "Time of a search",
            ["collection", "mode"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._first_scores = Summary(
            "vectis_search_first_score",
            "Score of the first result of a computed answer",
            ["collection", "mode"],
            registry=self.registry,
        )
        stage_seconds = Histogram(
            "vectis_search_stage_duration_seconds",
            "Time of each stage of a search",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._stages = {stage: stage_seconds.labels(stage) for stage in STAGES}
        # Looking a label set up costs more than counting, and the path of a search does it five times.
        self._series: dict[tuple[str, str, str, str], tuple[Counter, Histogram, Summary]] = {}
        self._request_series: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._refused = Counter(
            "vectis_refused_credentials", "Keys and tokens that were not taken", ["reason"], registry=self.registry
        )
        self._empty = Counter(
            "vectis_search_empty", "Searches without a result", ["collection", "mode"], registry=self.registry
        )
        self._degraded = Counter(
            "vectis_search_degraded", "Searches answered without a part", ["collection", "part"], registry=self.registry
        )

        self._filtered = Counter(
            FILTER_KEYS,
            "Searches that filtered by a payload key, and whether a payload index served it",
            ["collection", "key", "indexed"],
            registry=self.registry,
        )
        self._filter_keys: set[tuple[str, str]] = set()
        self._job_seconds = Histogram(
            "vectis_job_duration_seconds",
            "Time of an attempt of a job, by the state it left the job in",
            ["kind", "state"],
            buckets=JOB_SECONDS,
            registry=self.registry,
        )

    def append(self, measurement: Measurement) -> None:
        """Count one search."""
        m = measurement
        key = (m.collection, m.variant, m.mode, m.outcome)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = (
                self._searches.labels(*key),
                self._search_seconds.labels(m.collection, m.mode),
                self._first_scores.labels(m.collection, m.mode),
            )
        series[0].inc()
        series[1].observe(m.took_ms / 1000)
        if m.first_score is not None:
            series[2].observe(m.first_score)
        for stage, took_ms in m.stages_ms.items():
            self._stages[stage].observe(took_ms / 1000)
        if m.outcome == "ok" and m.results == 0:
            self._empty.labels(m.collection, m.mode).inc()
        for part in m.degraded:
            self._degraded.labels(m.collection, part).inc()
        for key, indexed in m.filter_keys.items():
            self._count_filter(m.collection, key, indexed=indexed)

    def observe_request(self, operation: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (operation, str(status))
        series = self._request_series.get(key)
        if series is None:
            series = self._request_series[key] = (
                self._requests.labels(*key),
                self._request_seconds.labels(operation),
            )
        series[0].inc()
        series[1].observe(seconds)

    def _count_filter(self, collection: str, key: str, *, indexed: bool) -> None:
        """Keys are the callers' words, so there is a bound to how many get a series of their own."""
        if (collection, key) not in self._filter_keys:
            if len(self._filter_keys) >= FILTER_KEYS_MAX:
                key = OTHER_KEYS
            self._filter_keys.add((collection, key))
        self._filtered.labels(collection, key, "yes" if indexed else "no").inc()

    def observe_job(self, kind: str, state: str, seconds: float) -> None:
        """Count one attempt of a job."""
        self._job_seconds.labels(kind, state).observe(seconds)

    def count_refusal(self, reason: str) -> None:
        """Count one credential that was not taken."""
        self._refused.labels(reason).inc()

    def export_counts(self, prefix: str, help_text: str, read: ReadCounts) -> None:
        """Export counts that somebody else keeps; names that end in `_total` are counters, the others gauges."""
        self.registry.register(Counts(prefix, help_text, read))


class Counts(Collector):
    """Counts that somebody else keeps."""

    def __init__(self, prefix: str, help_text: str, read: ReadCounts) -> None:
        self._prefix = prefix
        self._help = help_text
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for name, value in self._read().items():
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(f"{self._prefix}_{name}", self._help, value=value)
