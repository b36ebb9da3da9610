"""A real server for stories: all its processes, on a free port of loopback, over a temporary data folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest


class RunningServer:
    """A server that this test started."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._log = (folder.parent / f"{folder.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vectis", "serve", "--port", "0", "--data-dir", str(folder)],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the server did not start:\n{self.log()}"
        self.url: str = json.loads(line)["url"]
        self.http = httpx.Client(base_url=self.url, timeout=120)

    def log(self) -> str:
        """What the server wrote so far."""
        return Path(self._log.name).read_text()

    def stop(self) -> int:
        """End it in order; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self.http.close()
        self._log.close()
        return status

    def kill(self) -> None:
        """SIGKILL to the supervisor alone, as the worst moment would have it."""
        self.process.kill()
        self.process.wait(timeout=60)
        self.http.close()
        self._log.close()


StartServer = Callable[..., RunningServer]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts servers; those that still run at the end are ended."""
    started: list[RunningServer] = []

    def start(folder: Path | None = None, **environment: str) -> RunningServer:
        server = RunningServer(folder or tmp_path_factory.mktemp("server") / "data", environment)
        started.append(server)
        return server

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
