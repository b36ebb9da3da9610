"""Builds that start by themselves. After one that failed the next waits, ever longer, and the reason is told meanwhile."""

import asyncio
from time import monotonic

import msgspec

from vectis.adapters.edge.build import Builds, due
from vectis.adapters.edge.live import LiveCollection

PAUSE_S = 1.0
PAUSE_MAX_S = 60.0
"""The pause after a failed build, which doubles with each up to the maximum: room is used a minute after it was made."""


class _Failing(msgspec.Struct, frozen=True):
    reason: str
    pause_s: float
    until: float


class AutomaticBuilds:
    """One build at a time for each collection that is due."""

    def __init__(self, builds: Builds, loop: asyncio.AbstractEventLoop) -> None:
        self.failures = 0
        self._builds = builds
        self._loop = loop
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._failing: dict[str, _Failing] = {}

    @property
    def failing(self) -> dict[str, str]:
        """The collections whose last build by itself failed, and why."""
        return {name: failing.reason for name, failing in self._failing.items()}

    def start_when_due(self, live: LiveCollection) -> None:
        """Start a build unless one runs, none is due, or the last one failed just now."""
        running = self._running.get(live.name)
        if running is not None:
            if not running.done():
                return
            del self._running[live.name]
            self._conclude(live.name, running)
        failing = self._failing.get(live.name)
        if live.building or (failing is not None and monotonic() < failing.until):
            return
        if due(live, monotonic()):
            self._running[live.name] = self._loop.create_task(self._builds.build(live))
        else:
            self._failing.pop(live.name, None)

    def forget(self, name: str) -> None:
        """The collection is gone."""
        self._running.pop(name, None)
        self._failing.pop(name, None)

    def _conclude(self, name: str, build: asyncio.Task[bool]) -> None:
        error = None if build.cancelled() else build.exception()
        if error is None:
            self._failing.pop(name, None)
            return
        self.failures += 1
        last = self._failing.get(name)
        pause_s = min(PAUSE_MAX_S, 2 * last.pause_s) if last else PAUSE_S
        self._failing[name] = _Failing(f"{type(error).__name__}: {error}", pause_s, monotonic() + pause_s)
