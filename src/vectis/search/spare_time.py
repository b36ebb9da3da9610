"""Work behind the answers: one piece at a time, within a share of the process's time, and none while there is much to do."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from vectis.domain.ports.clock import Clock

GOLDEN = 0.6180339887498949
"""Steps of the golden ratio spread evenly over [0, 1), in any number of them: samples without dice."""


class SpareTime:
    """Takes at most `share_percent` of the time, and nothing while more than `at_work_max` requests are at work."""

    def __init__(self, clock: Clock, at_work: Callable[[], int], *, share_percent: float, at_work_max: int) -> None:
        self._clock = clock
        self._at_work = at_work
        self._share_percent = share_percent
        self._at_work_max = at_work_max
        self._task: asyncio.Task[None] | None = None
        self._rest_until = 0.0

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Begin the work now, or say that there is no time for it. It must not raise."""
        busy = self._task is not None and not self._task.done()
        if busy or self._clock.monotonic() < self._rest_until or self._at_work() > self._at_work_max:
            return False
        self._task = asyncio.get_running_loop().create_task(self._work(work))
        return True

    async def _work(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        started = self._clock.monotonic()
        await work()
        now = self._clock.monotonic()
        self._rest_until = now + (now - started) * (100 / self._share_percent - 1)


class EvenSample:
    """Takes a share of what passes by, evenly spread."""

    def __init__(self, *, start: float = 0.0) -> None:
        """Samples of the same queries that start half a unit apart take different ones, while none takes more than half."""
        self._draw = start

    def takes(self, percent: float) -> bool:
        """Whether this one is of the `percent` that are taken."""
        self._draw = (self._draw + GOLDEN) % 1.0
        return self._draw * 100 < percent
