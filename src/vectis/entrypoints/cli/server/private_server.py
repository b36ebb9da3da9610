"""A server of one's own for the time of a command, on a Unix socket, for a data folder that no server holds."""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from vectis.domain.errors import InvalidSetting, Unavailable
from vectis.runtime.lifeline import FD_KEY

START_S = 120.0
STOP_S = 30.0
TAIL_LINES = 15
LOG_NAME = "command-server.log"


class Announcement(msgspec.Struct):
    """A line that the server writes on stdout."""

    event: str


@asynccontextmanager
async def private_server(folder: Path, environment: Mapping[str, str]) -> AsyncGenerator[Path]:
    """Start `vectis serve` on `folder` and give the path of its socket; it has ended when the block is left.

    Raises Unavailable with the end of its log when it does not get ready. The server also ends when this process dies,
    because the pipe that is its stdin then closes.
    """
    log = _empty_log(folder)
    with tempfile.TemporaryDirectory(prefix="vectis-") as short, log.open("ab") as sink:
        socket = Path(short) / "s"
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vectis", "serve", "--data-dir", str(folder), "--uds", str(socket)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=sink,
            env={**os.environ, **environment, FD_KEY: "0"},
            start_new_session=True,
        )
        try:
            await _ready(server, log)
            rest = asyncio.create_task(_drain(server))
            yield socket
            rest.cancel()
        finally:
            await _end(server)


def _empty_log(folder: Path) -> Path:
    log = folder / LOG_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log.write_bytes(b"")
    except OSError as error:
        raise InvalidSetting(f"--data-dir {folder}: cannot be written ({error.strerror})") from None
    return log


async def _ready(server: Process, log: Path) -> None:
    assert server.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            async for line in server.stdout:
                if _is_ready(line):
                    return
            await server.wait()
    except TimeoutError:
        raise Unavailable(f"the private server was not ready after {START_S:g} s; its log:\n{_tail(log)}") from None
    raise Unavailable(f"the private server ended with status {server.returncode}; its log:\n{_tail(log)}")


def _is_ready(line: bytes) -> bool:
    with suppress(msgspec.MsgspecError):
        return msgspec.json.decode(line, type=Announcement).event == "ready"
    return False


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:]) or "  (empty)"


async def _drain(server: Process) -> None:
    """Read on, so that the server never waits for a full pipe."""
    assert server.stdout is not None
    while await server.stdout.read(1 << 16):
        pass


async def _end(server: Process) -> None:
    with suppress(ProcessLookupError):
        server.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()
