"""What the machine has left for this process: disk, memory, file descriptors, and whether its clock runs steadily."""

import os
import resource
import shutil
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from vectis.adapters.system.clock import SystemClock
from vectis.domain.errors import DiskFull, Unavailable

DISK_BYTES_MIN = 1_000_000_000
MEMORY_SHARE_MIN = 0.05
DESCRIPTORS_SHARE_MAX = 0.8
CLOCK_DRIFT_S_MAX = 5.0

_MEMORY = Path("/proc/meminfo")
_DESCRIPTORS = "/dev/fd"


class Machine:
    """Each question says what it found, or raises when too little is left."""

    def __init__(self, folder: Path, clock: SystemClock) -> None:
        self._folder = folder
        self._steady = clock
        self._started: tuple[datetime, float] = clock.now(), clock.monotonic()

    def probes(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """The questions, by what they are about."""
        return {
            "disk": self._disk,
            "memory": self._memory,
            "file descriptors": self._descriptors,
            "clock": self._clock,
        }

    async def _disk(self) -> str:
        """Space below the data folder. DiskFull below a gigabyte."""
        usage = shutil.disk_usage(self._folder)
        detail = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free"
        if usage.free < DISK_BYTES_MIN:
            raise DiskFull(f"{detail}: make room before more is written", free_bytes=usage.free)
        return detail

    async def _memory(self) -> str:
        """Memory of the machine and the most this process had. Unavailable below a twentieth."""
        peak = f"this process had at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
        kilobytes = _kilobytes()
        if not kilobytes:
            return f"{peak}; this system does not say what is left"
        left, total = kilobytes["MemAvailable"], kilobytes["MemTotal"]
        detail = f"{left / 1e6:.1f} of {total / 1e6:.1f} GB left; {peak}"
        if left < total * MEMORY_SHARE_MIN:
            raise Unavailable(f"{detail}: give the machine more, or run fewer processes")
        return detail

    async def _descriptors(self) -> str:
        """File descriptors of this process. Unavailable above four fifths."""
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir(_DESCRIPTORS))
        if allowed == resource.RLIM_INFINITY:
            return f"{used} in use, no limit"
        if used > allowed * DESCRIPTORS_SHARE_MAX:
            raise Unavailable(f"{used} of {allowed} in use: raise the limit (ulimit -n) before connections are refused")
        return f"{used} of {allowed} in use"

    async def _clock(self) -> str:
        """How far the wall clock moved against the steady one since the start. Unavailable beyond five seconds."""
        wall, steady = self._started
        drift_s = (self._steady.now() - wall).total_seconds() - (self._steady.monotonic() - steady)
        if abs(drift_s) > CLOCK_DRIFT_S_MAX:
            raise Unavailable(f"it was moved by {drift_s:.1f} s since the start: expiries and leases are off; restart")
        return f"moved by {drift_s:.3f} s since the start"


def _kilobytes() -> dict[str, int]:
    """As the kernel says it; empty where it does not."""
    if not _MEMORY.exists():
        return {}
    words = (line.split() for line in _MEMORY.read_text().splitlines())
    return {each[0].rstrip(":"): int(each[1]) for each in words}
