"""The supervisor with real processes: order, restarts, giving up, and nothing left behind, however it ends."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from vectis.runtime.process import ProcessSpec, ReadyLine, ReadySocket
from vectis.runtime.supervisor import ProcessReport, ProcessState, RestartPolicy, Supervisor

DEADLINE_S = 30.0
DEFAULT = RestartPolicy()

OBEDIENT = """
import os, signal, sys, threading
from vectis.runtime.lifeline import watch_parent
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
watch_parent(grace_s=1.0)
print("ready", os.getpid(), flush=True)
while not ended.wait(0.1):
    pass
print("bye", flush=True)
"""

DEAF = """
import signal, threading
from vectis.runtime.lifeline import watch_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
watch_parent(grace_s=0.5)
print("ready", flush=True)
while True:
    threading.Event().wait(60)
"""

PARENT_OF_ONE = """
import subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"], stdin=subprocess.DEVNULL)
print("ready grandchild", child.pid, flush=True)
threading.Event().wait()
"""

LISTENER = """
import socket, sys, threading
threading.Event().wait(0.3)
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
threading.Event().wait()
"""

DIES_AT_ONCE = 'import sys; print("cannot open the pod bay doors", file=sys.stderr); sys.exit(7)'

DIES_WHEN_READY = 'print("ready", flush=True); import sys; sys.stderr.write("the last words"); sys.exit(3)'

CHATTY = """
import os, threading
os.write(1, b"one\\nready\\nas ready as can be\\nno newline")
threading.Event().wait(0.2)
"""

SERVER = """
import asyncio, json, sys
from vectis.runtime.process import ProcessSpec, ReadyLine
from vectis.runtime.supervisor import Supervisor

specs = [ProcessSpec(name, (sys.executable, "-c", code), ReadyLine("ready")) for name, code in json.loads(sys.argv[1])]
pids = {}
async def main():
    supervisor = Supervisor(
        [[spec] for spec in specs],
        on_change=lambda report: pids.update({report.name: report.pid}),
        on_ready=lambda: print(json.dumps(list(pids.values())), flush=True),
    )
    return await supervisor.run()
sys.exit(asyncio.run(main()))
"""


def spec(name: str, code: str, *arguments: str, **fields) -> ProcessSpec:
    fields.setdefault("ready", ReadyLine("ready"))
    return ProcessSpec(name, (sys.executable, "-c", code, *arguments), **fields)


class Watched:
    """A supervisor run in this process, and what it has told."""

    def __init__(self, *stages: list[ProcessSpec], policy: RestartPolicy = DEFAULT) -> None:
        self.told: list[ProcessReport] = []
        self.ready = asyncio.Event()
        self.supervisor = Supervisor(stages, on_change=self.told.append, on_ready=self.ready.set, policy=policy)

    async def __aenter__(self) -> "Watched":
        self.running = asyncio.create_task(self.supervisor.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.supervisor.stop()
        await asyncio.wait_for(self.running, DEADLINE_S)

    async def until_ready(self) -> None:
        await asyncio.wait_for(self.ready.wait(), DEADLINE_S)

    def states(self, state: ProcessState) -> list[str]:
        return [report.name for report in self.told if report.state is state]

    def now(self, name: str) -> ProcessReport:
        """The last that was told of a process."""
        return [report for report in self.told if report.name == name][-1]


async def eventually(condition, what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:g} s: {what}"
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_starts_in_order_and_ends_in_reverse() -> None:
    async with Watched([spec("engine", OBEDIENT)], [spec("worker", OBEDIENT), spec("api", OBEDIENT)]) as watched:
        await watched.until_ready()
        told = [(report.name, report.state) for report in watched.told]
        assert told[:2] == [("engine", ProcessState.STARTING), ("engine", ProcessState.RUNNING)]
        assert {state for _, state in told[2:4]} == {ProcessState.STARTING}, "a stage starts together"
        pids = [watched.now(name).pid for name in ("engine", "worker", "api")]
    assert watched.running.result() == 0
    assert watched.states(ProcessState.STOPPED)[-1] == "engine"
    assert all(gone(pid) for pid in pids)


async def test_a_killed_child_is_started_again() -> None:
    async with Watched([spec("engine", OBEDIENT)], [spec("api", OBEDIENT)]) as watched:
        await watched.until_ready()
        first, untouched = watched.now("engine").pid, watched.now("api").pid
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: watched.states(ProcessState.RUNNING).count("engine") == 2, "engine runs again")
        engine, api = watched.now("engine"), watched.now("api")
        assert engine.pid not in (None, first)
        assert (engine.restarts, api.restarts, api.pid) == (1, 0, untouched)
        waiting = next(report for report in watched.told if report.state is ProcessState.WAITING)
        assert "SIGKILL" in waiting.detail


async def test_what_a_dead_child_had_started_is_ended_before_it_is_started_again() -> None:
    async with Watched([spec("engine", PARENT_OF_ONE)]) as watched:
        await watched.until_ready()
        first = watched.now("engine").pid
        (grandchild,) = psutil.Process(first).children()
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: watched.states(ProcessState.RUNNING).count("engine") == 2, "engine runs again")
        assert gone(grandchild.pid)


async def test_a_crash_loop_ends_the_server_and_shows_the_last_lines() -> None:
    policy = RestartPolicy(backoff_s=0.01, deaths_max=3)
    async with Watched([spec("api", OBEDIENT)], [spec("worker", DIES_WHEN_READY)], policy=policy) as watched:
        assert await asyncio.wait_for(asyncio.shield(watched.running), DEADLINE_S) == 1
        api, worker = watched.now("api"), watched.now("worker")
    assert worker.state is ProcessState.FAILED
    assert "3 times" in worker.detail
    assert "ended with status 3" in worker.detail
    assert "the last words" in worker.detail
    assert api.state is ProcessState.STOPPED


async def test_a_child_that_never_gets_ready_ends_the_start_at_once() -> None:
    async with Watched([spec("engine", DIES_AT_ONCE)], [spec("api", OBEDIENT)]) as watched:
        assert await asyncio.wait_for(asyncio.shield(watched.running), DEADLINE_S) == 1
        engine, api = watched.now("engine"), watched.now("api")
    assert engine.restarts == 0
    assert "ended with status 7" in engine.detail
    assert "pod bay doors" in engine.detail
    assert "api" not in watched.states(ProcessState.STARTING)
    assert api.state is ProcessState.STOPPED


async def test_a_child_that_is_too_slow_to_get_ready_is_ended() -> None:
    slow = spec("engine", "import threading; threading.Event().wait()", ready_timeout_s=0.5)
    async with Watched([slow]) as watched:
        assert await asyncio.wait_for(asyncio.shield(watched.running), DEADLINE_S) == 1
        engine = watched.now("engine")
    assert "not ready after 0.5 s" in engine.detail


async def test_a_program_that_is_not_there_is_named() -> None:
    absent = ProcessSpec("engine", ("no-such-program-here",), ReadyLine("ready"))
    async with Watched([absent]) as watched:
        assert await asyncio.wait_for(asyncio.shield(watched.running), DEADLINE_S) == 1
        engine = watched.now("engine")
    assert "no-such-program-here" in engine.detail


async def test_ready_means_that_the_socket_accepts() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s"
        async with Watched([spec("engine", LISTENER, path, ready=ReadySocket(path))]) as watched:
            await watched.until_ready()
            _, writer = await asyncio.open_unix_connection(path)
            writer.close()


async def test_a_deaf_child_is_killed_after_its_time() -> None:
    async with Watched([spec("engine", DEAF, stop_timeout_s=0.3)]) as watched:
        await watched.until_ready()
        pid = watched.now("engine").pid
    assert gone(pid)
    assert watched.running.result() == 0


async def test_asked_twice_it_ends_at_once() -> None:
    async with Watched([spec("engine", DEAF, stop_timeout_s=10 * DEADLINE_S)]) as watched:
        await watched.until_ready()
        pid = watched.now("engine").pid
        watched.supervisor.stop()
        await eventually(lambda: "engine" in watched.states(ProcessState.STOPPING), "it is being stopped")
    assert gone(pid)


async def test_stopped_during_the_start() -> None:
    never = spec("engine", "import threading; threading.Event().wait()")
    async with Watched([never]) as watched:
        await eventually(lambda: watched.states(ProcessState.STARTING), "it is being started")
    assert watched.running.result() == 0
    assert not watched.ready.is_set()
    assert watched.states(ProcessState.STOPPED) == ["engine"]


async def test_output_is_passed_on_line_by_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    async with Watched([spec("api", CHATTY)]) as watched:
        await eventually(lambda: watched.states(ProcessState.WAITING), "it has ended")
    lines = capfdbinary.readouterr().err.splitlines()
    assert lines[:3] == [b"one", b"as ready as can be", b"no newline"], "the bare ready line was for the supervisor"


@contextlib.asynccontextmanager
async def server(*children: tuple[str, str]):
    """A supervisor in a process of its own, and the pids of its children once all are ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, json.dumps(children), stdout=asyncio.subprocess.PIPE
    )
    pids: list[int] = []
    try:
        async with asyncio.timeout(DEADLINE_S):
            pids = json.loads(await process.stdout.readline())
        yield process, pids
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_everything_with_status_0(number: signal.Signals) -> None:
    async with server(("engine", OBEDIENT), ("api", OBEDIENT)) as (process, pids):
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), DEADLINE_S) == 0
        assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize("child", [OBEDIENT, DEAF], ids=["obedient", "deaf"])
async def test_no_orphan_when_the_supervisor_is_killed(child: str) -> None:
    async with server(("engine", child), ("api", OBEDIENT)) as (process, pids):
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        process.kill()
        await process.wait()
        await eventually(lambda: all(gone(pid) for pid in pids), "the children have ended")


def test_a_process_without_supervisor_watches_nothing() -> None:
    code = "from vectis.runtime.lifeline import watch_parent; print(watch_parent())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
