"""One child process: started, known to be ready, its output passed on, ended with all it started. No restarts here."""

import asyncio
import os
import signal
from asyncio.subprocess import STDOUT, Process
from collections import deque
from contextlib import suppress

import msgspec

from vectis.runtime.lifeline import FD_KEY, Lifeline
from vectis.runtime.log_sink import WriteLine

TAIL_LINES = 20
HANDED_KEY = "HANDED_FD"
"""Tells a child which descriptor to read what it is handed from. Not a setting: it has no meaning to people."""

LINE_BYTES_MAX = 1 << 20
POLL_S = 0.02
DRAIN_S = 1.0


class ReadyLine(msgspec.Struct, frozen=True):
    """Ready once a line of its output contains `text`. A line that is nothing else was for us and is not passed on."""

    text: str


class ReadySocket(msgspec.Struct, frozen=True):
    """Ready once the Unix socket at `path` accepts a connection."""

    path: str


class ProcessSpec(msgspec.Struct, frozen=True):
    """What to start and how to know that it serves. `pass_fds` are inherited.

    `handed` reaches it through a pipe that it finds by HANDED_KEY: unlike its environment, nobody can read that afterwards.
    """

    name: str
    argv: tuple[str, ...]
    ready: ReadyLine | ReadySocket
    handed: bytes = b""
    pass_fds: tuple[int, ...] = ()
    ready_timeout_s: float = 60.0
    stop_timeout_s: float = 10.0


class Child:
    """A process of `spec`, one after another of the same kind."""

    def __init__(self, spec: ProcessSpec, lifeline: Lifeline, write_line: WriteLine) -> None:
        self.spec = spec
        self._write_line = write_line
        self._lifeline = lifeline
        self._process: Process | None = None
        self._output: asyncio.Task[None] | None = None
        self._said_ready = asyncio.Event()
        self._tail: deque[bytes] = deque(maxlen=TAIL_LINES)
        self._failure = ""

    @property
    def pid(self) -> int | None:
        """Of the process that lives now."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def tail(self) -> str:
        """The last lines that it wrote."""
        return "\n".join("  " + line.decode("utf-8", "replace") for line in self._tail) or "  (it wrote nothing)"

    async def start(self) -> bool:
        """Start it and wait until it is ready. False when it ended, or its time was over, before that; it is gone then."""
        self._process, self._failure = None, ""
        self._said_ready.clear()
        self._tail.clear()
        try:
            self._process = await self._spawn()
        except OSError as error:
            self._failure = f"could not be started: {error}"
            return False
        if await self._becomes_ready(self._process):
            return True
        if self._process.returncode is None:
            self._failure = f"was not ready after {self.spec.ready_timeout_s:g} s"
        await self.stop()
        return False

    async def ended(self) -> str:
        """Wait until it has ended, clear up what it left, and say how it ended."""
        if self._process is not None:
            await self._process.wait()
            await self._clear_up(self._process)
        return self._failure

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL to it and all that it started when `stop_timeout_s` is over; returns when it is gone."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(self.spec.stop_timeout_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await self._clear_up(self._process)

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _spawn(self) -> Process:
        """Its output comes through a pipe of our own, since asyncio's `wait` waits for whoever else holds a pipe of its own."""
        read_fd, write_fd = os.pipe()
        handed_fd, handing_fd = os.pipe()
        try:
            reader = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb")
            )
            self._output = asyncio.create_task(self._pass_on(reader, transport))
            await self._hand(handing_fd)
            return await asyncio.create_subprocess_exec(
                *self.spec.argv,
                stdin=self._lifeline.read_fd,
                stdout=write_fd,
                stderr=STDOUT,
                env={**os.environ, FD_KEY: "0", HANDED_KEY: str(handed_fd)},
                pass_fds=(*self.spec.pass_fds, handed_fd),
                start_new_session=True,  # a terminal's Ctrl-C reaches the supervisor alone, which ends children in order
            )
        finally:
            os.close(write_fd)
            os.close(handed_fd)

    async def _hand(self, fd: int) -> None:
        """Write what it is handed as fast as it reads, however little a pipe takes at once."""
        transport, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, os.fdopen(fd, "wb"))
        transport.write(self.spec.handed)
        transport.close()

    async def _becomes_ready(self, process: Process) -> bool:
        ready, ended = asyncio.create_task(self._ready()), asyncio.create_task(process.wait())
        try:
            await asyncio.wait({ready, ended}, timeout=self.spec.ready_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            return ready.done() and process.returncode is None
        finally:
            ready.cancel()
            ended.cancel()

    async def _ready(self) -> None:
        match self.spec.ready:
            case ReadyLine():
                await self._said_ready.wait()
            case ReadySocket(path):
                await _accepts(path)

    async def _clear_up(self, process: Process) -> None:
        """What it started belongs to its process group and ends with it; then its output ends too."""
        self.kill()
        self._process = None
        self._failure = self._failure or _how(process.returncode or 0)
        if self._output is not None:
            await asyncio.wait({self._output}, timeout=DRAIN_S)
            self._output.cancel()

    async def _pass_on(self, output: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        """Its lines go into our log as they are, the last of them are kept, and the one that says ready is seen."""
        rest = b""
        try:
            while chunk := await output.read(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LINE_BYTES_MAX:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._see(line)
        finally:
            transport.close()
        if rest:
            self._see(rest)

    def _see(self, line: bytes) -> None:
        if isinstance(self.spec.ready, ReadyLine) and self.spec.ready.text.encode() in line:
            self._said_ready.set()
            if line.decode("utf-8", "replace").strip() == self.spec.ready.text:
                return
        self._tail.append(line)
        self._write_line(line)


async def _accepts(path: str) -> None:
    while True:
        try:
            _, writer = await asyncio.open_unix_connection(path)
        except OSError:
            await asyncio.sleep(POLL_S)  # nothing tells when another process begins to listen
        else:
            writer.close()
            return


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
