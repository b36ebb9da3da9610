"""A worker's place among the workers: its name, its bounds, and what it says of itself."""

import os
import socket
from datetime import datetime
from pathlib import Path

import msgspec

from vectis.domain.jobs import WorkerReport

_STATM = Path("/proc/self/statm")


class Seat(msgspec.Struct, frozen=True):
    """A worker's name and bounds: at most `jobs_max` handlers at a time, of these `queues` (empty: all).

    `limits` are of queues over all workers. After `stop_s` of an orderly end what still runs is handed back.
    """

    name: str
    jobs_max: int = 1
    queues: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    attempts_max: int = 10
    lease_s: float = 30.0
    stop_s: float = 8.0

    def report(self, *, started_at: datetime, now: datetime, running: int) -> WorkerReport:
        """What the worker says of itself now."""
        return WorkerReport(
            name=self.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=started_at,
            seen_at=now,
            running=running,
            jobs_max=self.jobs_max,
            memory_bytes=_resident_bytes(),
            queues=self.queues,
        )


def _resident_bytes() -> int:
    """What this process holds in memory; 0 where the kernel does not say."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
