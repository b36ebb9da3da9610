"""The health of the job queues as metrics, asked for when the page is: it is of all workers, whatever host they are on."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vectis.domain.jobs import JobState, JobStats


class JobQueues(Collector):
    """One look at the queues."""

    def __init__(self, stats: JobStats) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        stats = self._stats
        jobs = GaugeMetricFamily("vectis_jobs", "Jobs that are kept, by queue and state", labels=["queue", "state"])
        for queue, counts in stats.states.items():
            for state in JobState:
                jobs.add_metric([queue, state.value], counts.get(state, 0))
        yield jobs
        waiting_s = 0.0 if stats.waiting_since is None else (stats.at - stats.waiting_since).total_seconds()
        yield GaugeMetricFamily(
            "vectis_jobs_oldest_pending_seconds",
            "How long the oldest job that could run waits",
            value=max(0.0, waiting_s),
        )
        memory = GaugeMetricFamily("vectis_worker_resident_bytes", "Memory of a worker process", labels=["worker"])
        seen = GaugeMetricFamily("vectis_worker_seen_seconds", "Since a worker was seen last", labels=["worker"])
        for worker in stats.workers:
            memory.add_metric([worker.name], worker.memory_bytes)
            seen.add_metric([worker.name], max(0.0, (stats.at - worker.seen_at).total_seconds()))
        yield from (memory, seen)
