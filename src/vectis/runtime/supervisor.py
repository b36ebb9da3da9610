"""The processes of one server: started in order, restarted when they die, ended in reverse. One process is process.py's."""

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from vectis.runtime.lifeline import Lifeline
from vectis.runtime.log_sink import WriteLine, to_stderr
from vectis.runtime.process import Child, ProcessSpec


class ProcessState(StrEnum):
    """Where a process stands. `waiting`: it died and is started again shortly. `failed`: it is not started again."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPING = "stopping"
    FAILED = "failed"


class ProcessReport(msgspec.Struct, frozen=True):
    """One process now: `since` when it is in `state`, `restarts` how often it was started again, `detail` why, for people."""

    name: str
    state: ProcessState
    since: datetime
    pid: int | None = None
    restarts: int = 0
    detail: str = ""


class RestartPolicy(msgspec.Struct, frozen=True):
    """The pause before a restart doubles from `backoff_s` to `backoff_max_s` with each death within `window_s`.

    The death number `deaths_max` within the window is the last: the supervisor gives up.
    """

    backoff_s: float = 0.05
    backoff_max_s: float = 5.0
    deaths_max: int = 6
    window_s: float = 60.0


class _GaveUp(Exception):
    """A process cannot be kept running."""


class Supervisor:
    """Keeps processes running. Those of one stage start together once the stage before is ready."""

    def __init__(
        self,
        stages: Sequence[Sequence[ProcessSpec]],
        *,
        on_change: Callable[[ProcessReport], None],
        on_ready: Callable[[], None],
        write_line: WriteLine = to_stderr,
        policy: RestartPolicy = RestartPolicy(),  # noqa: B008 frozen
    ) -> None:
        """`on_change` hears of each change of a process, `on_ready` once that all are ready. Neither may wait or raise.

        `write_line` gets each line that a process writes.
        """
        self._on_change = on_change
        self._on_ready = on_ready
        self._policy = policy
        self._lifeline = Lifeline()
        self._write_line = write_line
        self._stages = [[self._child(spec) for spec in stage] for stage in stages]
        self._reports = {
            spec.name: ProcessReport(spec.name, ProcessState.STOPPED, datetime.now(UTC))
            for stage in stages
            for spec in stage
        }
        self._serving: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._stop_asked = False
        self._gave_up = False

    async def run(self) -> int:
        """Run until SIGTERM, SIGINT or `stop`, then end everything in reverse order. The exit status: 0, or 1 when it gave up.

        It gives up, with the reason in the report, when a process does not get ready the first time or dies too often.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        self._serving = asyncio.create_task(self._serve())
        try:
            await asyncio.wait({self._serving})
            if not self._serving.cancelled():
                self._serving.result()
            return int(self._gave_up)
        finally:
            self._serving.cancel()
            await self._end()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """End everything in order; asked a second time, at once."""
        if self._stop_asked:
            for child in self._children():
                child.kill()
        self._stop_asked = True
        if self._serving is not None:
            self._serving.cancel()

    async def replace(self, stages: Sequence[Sequence[ProcessSpec]], *, insist: bool) -> str:
        """Bring the running processes to `stages`, one after the other; those whose spec stays the same are left alone.

        Empty when all are ready. Otherwise why the first that is not ready is not; it and those after it are left out, unless
        `insist`: then it is started again like one that died. Call it when all are ready, and one call at a time. Cancelled
        when everything is to end.
        """
        if self._group is None or self._stop_asked:
            raise asyncio.CancelledError
        return await self._group.create_task(self._replace(stages, insist))

    async def _replace(self, stages: Sequence[Sequence[ProcessSpec]], insist: bool) -> str:
        before = {child.spec.name: child for child in self._children()}
        arranged: list[list[Child]] = []
        failure = ""
        for stage in stages:
            arranged.append([])
            for spec in stage:
                old = before.pop(spec.name, None)
                child = old if old is not None and old.spec == spec else self._child(spec)
                arranged[-1].append(child)
                if child is not old:
                    if old is not None:
                        await self._let_go(old)
                    self._stages = [*arranged, list(before.values())]
                    failed = await self._start_again(child)
                    if failed and not insist:
                        return failed
                    failure = failure or failed
                self._keep_running(child)
        for child in reversed(before.values()):
            await self._let_go(child)
        self._stages = arranged
        return failure

    async def _start_again(self, child: Child) -> str:
        name = child.spec.name
        self._reports.setdefault(name, ProcessReport(name, ProcessState.STOPPED, datetime.now(UTC)))
        if await self._start(child):
            return ""
        return f"{name} {await child.ended()} before it was ready. Its last lines:\n{child.tail()}"

    async def _let_go(self, child: Child) -> None:
        keeping = self._keeping.pop(child.spec.name, None)
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait({keeping})
        await self._end_one(child)

    def _keep_running(self, child: Child) -> None:
        assert self._group is not None
        if child.spec.name not in self._keeping:
            self._keeping[child.spec.name] = self._group.create_task(self._keep(child))

    def _child(self, spec: ProcessSpec) -> Child:
        return Child(spec, self._lifeline, self._write_line)

    def _children(self) -> list[Child]:
        return [child for stage in self._stages for child in stage]

    async def _serve(self) -> None:
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(asyncio.Event().wait())  # it lasts, also while the last of them is replaced
                for stage in self._stages:
                    async with asyncio.TaskGroup() as starting:
                        for child in stage:
                            starting.create_task(self._start_first(child))
                    for child in stage:
                        self._keep_running(child)
                self._on_ready()
        except* _GaveUp:
            self._gave_up = True

    async def _start_first(self, child: Child) -> None:
        if not await self._start(child):
            self._give_up(child, f"{child.spec.name} {await child.ended()} before it was ready")

    async def _start(self, child: Child) -> bool:
        self._change(child, ProcessState.STARTING)
        if await child.start():
            self._change(child, ProcessState.RUNNING)
            return True
        return False

    async def _keep(self, child: Child) -> None:
        deaths: deque[float] = deque()
        loop, policy, name = asyncio.get_running_loop(), self._policy, child.spec.name
        while True:
            how = await child.ended()
            deaths.append(loop.time())
            while deaths[0] < loop.time() - policy.window_s:
                deaths.popleft()
            if len(deaths) >= policy.deaths_max:
                self._give_up(
                    child, f"{name} died {len(deaths)} times in {policy.window_s:g} s; the last time it {how}"
                )
            pause_s = min(policy.backoff_s * 2 ** (len(deaths) - 1), policy.backoff_max_s)
            self._change(child, ProcessState.WAITING, f"{name} {how}; it is started again in {pause_s:g} s")
            await asyncio.sleep(pause_s)  # the pause itself is wanted
            self._count_restart(child)
            await self._start(child)

    def _give_up(self, child: Child, why: str) -> None:
        self._change(child, ProcessState.FAILED, f"{why}. Its last lines:\n{child.tail()}")
        raise _GaveUp(why)

    async def _end(self) -> None:
        assert self._serving is not None
        await asyncio.wait({self._serving})
        for stage in reversed(self._stages):
            async with asyncio.TaskGroup() as ending:
                for child in stage:
                    ending.create_task(self._end_one(child))
        self._lifeline.close()

    async def _end_one(self, child: Child) -> None:
        if child.pid is not None:
            self._change(child, ProcessState.STOPPING)
        await child.stop()
        if self._reports[child.spec.name].state is not ProcessState.FAILED:
            self._change(child, ProcessState.STOPPED)

    def _count_restart(self, child: Child) -> None:
        report = self._reports[child.spec.name]
        self._reports[report.name] = msgspec.structs.replace(report, restarts=report.restarts + 1)

    def _change(self, child: Child, state: ProcessState, detail: str = "") -> None:
        report = msgspec.structs.replace(
            self._reports[child.spec.name], state=state, since=datetime.now(UTC), pid=child.pid, detail=detail
        )
        self._reports[report.name] = report
        self._on_change(report)
