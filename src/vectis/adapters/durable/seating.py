"""One name, one live worker: taking the seat of that name, and noticing that another has it. What is said there is seat.py's."""

import asyncio
import os
import socket
from contextlib import suppress
from datetime import timedelta

from vectis.adapters.durable.pauses import OUTSIDE
from vectis.adapters.durable.seat import Seat
from vectis.domain.errors import Conflict
from vectis.domain.jobs import WorkerReport
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.leases import Leases

_LOOK_S = 0.2
_GONE_LEASES = 20
"""A worker that was not seen for so many leases is forgotten."""


class Seating:
    """A worker's seat in the ledger: a row under its name, which only who wrote it last may write again."""

    def __init__(self, leases: Leases, seat: Seat, clock: Clock) -> None:
        self._leases = leases
        self._seat = seat
        self._clock = clock
        self._started_at = clock.now()
        self._self = (socket.gethostname(), os.getpid(), self._started_at)
        self._said: WorkerReport | None = None

    async def take(self) -> None:
        """Sit down: at once where nobody sits, or a process of this machine that is dead; else after a lease of silence.

        Conflict when who sits there goes on saying so.
        """
        if self._said is not None:
            return
        last = await self._leases.worker(self._seat.name)
        if last is not None:
            await self._wait_until_gone(last)
        if not await self._say(0, last):
            raise self._taken(await self._leases.worker(self._seat.name))

    async def keep(self, running: int) -> None:
        """Say again that this worker is there. Conflict when another has taken the seat meanwhile."""
        if not await self._say(running, self._said):
            raise self._taken(await self._leases.worker(self._seat.name))

    async def leave(self) -> None:
        """Stand up, as far as the ledger answers."""
        if self._said is not None:
            with suppress(*OUTSIDE):
                await self._leases.forget_worker(self._said)

    async def _say(self, running: int, last: WorkerReport | None) -> bool:
        if await self._write(running, last):
            return True
        found = await self._leases.worker(self._seat.name)
        own = found is not None and (found.host, found.pid, found.started_at) == self._self
        return own and await self._write(running, found)  # what it said last came through, though not the answer to it

    async def _write(self, running: int, last: WorkerReport | None) -> bool:
        now = self._clock.now()
        report = self._seat.report(started_at=self._started_at, now=now, running=running)
        gone_before = now - _GONE_LEASES * timedelta(seconds=self._seat.lease_s)
        said = await self._leases.report_worker(report, after=last, gone_before=gone_before)
        self._said = report if said else None
        return said

    async def _wait_until_gone(self, last: WorkerReport) -> None:
        deadline = self._clock.monotonic() + self._seat.lease_s
        while not self._is_gone(last) and self._clock.monotonic() < deadline:
            await asyncio.sleep(_LOOK_S)  # one that is dead tells nobody
            found = await self._leases.worker(self._seat.name)
            if found is None:
                return
            if found.seen_at != last.seen_at:
                raise self._taken(found)

    def _is_gone(self, last: WorkerReport) -> bool:
        """Whether the process that said this is dead for certain."""
        if self._clock.now() - last.seen_at > timedelta(seconds=self._seat.lease_s):
            return True
        if last.host != socket.gethostname():
            return False
        return last.pid == os.getpid() or not _lives(last.pid)

    def _taken(self, by: WorkerReport | None) -> Conflict:
        who = "another process" if by is None else f"process {by.pid} on {by.host}"
        name = self._seat.name
        return Conflict(
            f"a worker called {name!r} is at work already: {who}; no two may share a name, so give this one another: "
            "`vectis worker --name`, or the setting jobs.name of its server",
            worker=name,
        )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
