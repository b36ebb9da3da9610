"""An engine process of a test's own."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from vectis.adapters.edge import wire
from vectis.domain.errors import EngineUnavailable

READY_WAIT_S = 30.0
STOP_WAIT_S = 20.0


def argv(folder: Path, socket: Path, parent_fd: int | None = None) -> list[str]:
    """The command of an engine process. It ends when `parent_fd`, the reading end of a pipe, reaches its end."""
    command = [sys.executable, "-m", "vectis.adapters.edge.process", "--folder", str(folder), "--socket", str(socket)]
    command += ["--versions", str(socket.with_suffix(".versions"))]
    return command if parent_fd is None else [*command, "--parent-fd", str(parent_fd)]


class EngineProcess:
    """An engine process that this process started; it ends with this process."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self._folder = folder
        self._socket = socket
        self._process: Process | None = None
        self._leash: int | None = None

    @property
    def pid(self) -> int:
        """Its process id. EngineUnavailable before `start`."""
        if self._process is None:
            raise EngineUnavailable("the engine process is not started")
        return self._process.pid

    async def start(self) -> None:
        """Return when it listens. DataFolderInUse, or what else it says; EngineUnavailable when it says nothing."""
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv(self._folder, self._socket, read_end), stdin=DEVNULL, stdout=PIPE, pass_fds=(read_end,)
            )
        finally:
            os.close(read_end)
        self._process, self._leash = process, write_end
        try:
            ready = await asyncio.wait_for(_first_line(process), READY_WAIT_S)
        except TimeoutError:
            await self.stop()
            raise EngineUnavailable(
                f"the engine process for {self._folder} did not start in {READY_WAIT_S:.0f} s"
            ) from None
        if ready.get("ready"):
            return
        await self.stop()
        if "code" in ready:
            raise wire.raised(ready["code"], ready["message"], ready["fields"])
        raise EngineUnavailable(f"the engine process for {self._folder} ended at once; its log says why")

    async def stop(self) -> int | None:
        """End it in order, by force when that takes too long; its exit status, None when it was not started."""
        process, self._process = self._process, None
        if process is None:
            return None
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        if process.returncode is None:
            process.terminate()
        try:
            return await asyncio.wait_for(process.wait(), STOP_WAIT_S)
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def _first_line(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    return msgspec.json.decode(line, type=dict[str, Any]) if line else {}
