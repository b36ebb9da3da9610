"""A real server for stories and faults: all its processes, on a free port of loopback, over a temporary data folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx
import psutil
import pytest

SERVE = (sys.executable, "-m", "vectis", "serve", "--port", "0")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("VECTIS_")}
START_S = 60.0

_ROLES = {
    "vectis.adapters.edge.process": "engine",
    "vectis.entrypoints.worker.process": "worker",
    "vectis.entrypoints.rest.process": "api",
}

T = TypeVar("T")


def until(ask: Callable[[], T | None], within_s: float, what: str) -> T:
    """What `ask` answers once that is not None; fails at the deadline."""
    deadline = monotonic() + within_s
    while (answer := ask()) is None:
        assert monotonic() < deadline, f"not within {within_s:g} s: {what}"
        sleep(0.02)
    return answer


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A process and everything below it."""
    first = psutil.Process(process.pid)
    return [first, *first.children(recursive=True)]


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a process and everything below it at once: stopped first, so that none sees another die."""
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for each in family(process):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(signal_number)


class RunningServer:
    """A server that this test started: `vectis serve` and the processes that it keeps."""

    def __init__(self, folder: Path, environment: dict[str, str], *words: str, log: Path | None = None) -> None:
        self.folder = folder
        self._log = (log or folder.parent / f"{folder.name}.log").open("ab")
        self.process = subprocess.Popen(
            [*SERVE, "--data-dir", str(folder), *words],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**ENVIRONMENT, **environment},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the server did not start:\n{self.log()}"
        self.url: str = json.loads(line)["url"]
        self.http = httpx.Client(base_url=self.url, timeout=120)

    def log(self) -> str:
        """What the server wrote so far."""
        return Path(self._log.name).read_text()

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log that say `event`."""
        lines = (line for line in self.log().splitlines() if line.startswith("{"))
        return [said for said in map(json.loads, lines) if said.get("event") == event]

    def processes(self) -> dict[str, psutil.Process]:
        """The processes that live now, by name: engine, worker, api-1 and so on."""
        found: dict[str, psutil.Process] = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                words = child.cmdline()
            except psutil.NoSuchProcess:
                continue
            for module, role in _ROLES.items():
                if module in words:
                    found[words[words.index(module) + 1] if role == "api" else role] = child
        return found

    def family(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        return family(self.process)

    def stop(self) -> int:
        """End it in order; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """SIGKILL to the supervisor alone, as the worst moment would have it."""
        self.process.kill()
        self._ended()

    def kill_all(self) -> None:
        """SIGKILL to every process of the server at once, as a power cut would have it."""
        kill_family(self.process)
        self._ended()

    def _ended(self) -> int:
        status = self.process.wait(timeout=START_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.http.close()
        self._log.close()
        return status


def refused(folder: Path, *words: str, **environment: str) -> str:
    """What a server says that does not start; it says it without a traceback."""
    run = subprocess.run(
        [*SERVE, "--data-dir", str(folder), *words],
        capture_output=True, text=True, timeout=START_S, env={**ENVIRONMENT, **environment}, check=False,
    )  # fmt: skip
    assert run.returncode in (1, 2), run
    assert run.stdout == ""
    assert "Traceback" not in run.stderr
    return run.stderr


StartServer = Callable[..., RunningServer]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts servers; those that still run at the end are ended."""
    started: list[RunningServer] = []

    def start(folder: Path | None = None, *words: str, log: Path | None = None, **environment: str) -> RunningServer:
        folder = folder or tmp_path_factory.mktemp("server") / "data"
        started.append(RunningServer(folder, environment, *words, log=log))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    """One server for a module's stories."""
    return start_server()


@pytest.fixture(scope="module")
def http(server: RunningServer) -> httpx.Client:
    """Its HTTP client."""
    return server.http
