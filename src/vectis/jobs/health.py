"""The health of the workers in a few words, as the check `jobs` of readiness says it. Pure."""

from datetime import timedelta

from vectis.domain.errors import JobsUnavailable
from vectis.domain.jobs import JobStats

_SEEN_WITHIN = timedelta(seconds=30)


def in_words(stats: JobStats) -> str:
    """How many workers there are, and their memory; health is public, so what they work on is not told.

    JobsUnavailable when no worker was seen for as long as a lease lasts.
    """
    alive = [worker for worker in stats.workers if stats.at - worker.seen_at < _SEEN_WITHIN]
    if not alive:
        raise JobsUnavailable("no worker was seen for half a minute, so jobs wait; look into the log for why it ended")
    return f"workers: {len(alive)}; memory: {sum(worker.memory_bytes for worker in alive) >> 20} MiB"
