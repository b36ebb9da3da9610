"""The health of the queues in a few words, as the check `jobs` of readiness says it. Pure."""

from datetime import timedelta

from vectis.domain.errors import JobsUnavailable
from vectis.domain.jobs import JobState, JobStats

_SEEN_WITHIN = timedelta(seconds=30)
_SHOWN = (JobState.PENDING, JobState.RUNNING, JobState.DEAD)


def in_words(stats: JobStats) -> str:
    """Counts, the oldest wait, the workers. JobsUnavailable when no worker was seen for as long as a lease lasts."""
    alive = [worker for worker in stats.workers if stats.at - worker.seen_at < _SEEN_WITHIN]
    if not alive:
        raise JobsUnavailable("no worker was seen for half a minute, so jobs wait; look into the log for why it ended")
    waiting_s = (stats.at - stats.waiting_since).total_seconds() if stats.waiting_since else 0.0
    counts = ", ".join(f"{stats.count(state)} {state.value}" for state in _SHOWN)
    memory = sum(worker.memory_bytes for worker in alive) >> 20
    return f"{counts}; the oldest waits {max(0.0, waiting_s):.0f} s; {len(alive)} workers, {memory} MiB"
