"""The engine process: `python -m vectis.adapters.edge.process --folder F --socket S --versions V [--parent-fd N]`.

It holds the data folder, serves the socket, says one ready line of JSON, and ends in order on SIGTERM or when its starter
is gone.
"""

import argparse
import asyncio
import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import msgspec

from vectis.adapters.edge.host import Host
from vectis.adapters.edge.joining import Asked
from vectis.adapters.edge.layout import DataFolder, FolderLock, Holder, remove
from vectis.adapters.edge.live import LiveCollection
from vectis.adapters.edge.operations import OPERATIONS
from vectis.adapters.edge.refusals import EngineErrors
from vectis.adapters.edge.versions import SharedVersions
from vectis.adapters.edge.wire import (
    ANSWER_MAX_BYTES,
    BROKEN,
    DONE,
    REFUSED,
    REQUEST_MAX_BYTES,
    FrameReader,
    Request,
    check_socket_path,
    decode_request,
    encode,
    framed,
    refusal,
)
from vectis.domain.errors import EngineUnavailable, LimitExceeded, TooLarge, VectisError

try:
    import uvloop
except ImportError:
    uvloop = None

LOCK_WAIT_S = 5.0
LOCK_RETRY_S = 0.05
FINISH_WAIT_S = 10.0
OPERATIONS_MAX = 1024
"""Operations besides queries that may be under way; more are sent away at once."""

_outlines = msgspec.msgpack.Decoder(list[bytes]).decode


class EngineServer:
    """The connections, and the operations under way."""

    def __init__(self, folder: DataFolder, versions: SharedVersions, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.host = Host(folder, versions, loop, self.send_answers)
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.answering: set[Connection] = set()
        self.ending = False

    def send_answers(self) -> None:
        """Write the answers that have come together, one write a connection."""
        for connection in self.answering:
            connection.send()
        self.answering.clear()

    def ended(self, task: asyncio.Task[None]) -> None:
        """An operation is over; what it did not answer itself is for the loop's handler."""
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async def finish(self) -> None:
        """Let what runs end, within bounds, then close everything."""
        self.ending = True
        self.host.builds.close()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=FINISH_WAIT_S)
        await self.host.close()
        for connection in list(self.connections):
            connection.close()


class Connection(asyncio.Protocol):
    """One client's connection. Answers go out in the order in which they are ready."""

    def __init__(self, server: EngineServer) -> None:
        self._server = server
        self._reader = FrameReader(REQUEST_MAX_BYTES)
        self._answers: list[tuple[int, int, Any]] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop. What the client asked for is still done, but nobody is told."""
        self._transport = None
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        """Called by the loop: a client that does not read its answers is not read either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by the loop."""
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Called by the loop. What comes after the end has begun is left to the next process: clients repeat it."""
        if self._server.ending:
            return
        try:
            for frame in self._reader.feed(data):
                self._accept(decode_request(frame))
        except (TooLarge, msgspec.DecodeError):
            self.close()

    def close(self) -> None:
        """Close after what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def answer(self, request_id: int, result: Any) -> None:
        """Answer with a result or an exception; it leaves with the next `send`."""
        status = DONE
        if isinstance(result, BaseException):
            status, result = _failure(result)
        self._answers.append((request_id, status, result))
        self._server.answering.add(self)

    def send(self) -> None:
        """Write all answers that are ready in one frame."""
        answers, self._answers = self._answers, []
        if self._transport is None:
            return
        body = encode(answers)
        if len(body) <= ANSWER_MAX_BYTES:
            self._transport.write(framed(body))
            return
        for request_id, status, result in answers:
            body = encode([(request_id, status, result)])
            if len(body) > ANSWER_MAX_BYTES:
                too_much = LimitExceeded(f"the answer has {len(body)} bytes; ask for fewer points at once")
                body = encode([(request_id, *_failure(too_much))])
            self._transport.write(framed(body))

    def _accept(self, request: Request) -> None:
        if request.op in ("query", "queries"):
            self._query(request)
            return
        server = self._server
        if request.op not in OPERATIONS or len(server.tasks) >= OPERATIONS_MAX:
            busy = EngineUnavailable(f"{len(server.tasks)} operations are under way; try again", retry_after_s=1.0)
            self._reply(request.id, busy if request.op in OPERATIONS else RuntimeError(f"no operation {request.op}"))
            return
        task = server.loop.create_task(self._operate(request))
        server.tasks.add(task)
        task.add_done_callback(server.ended)

    def _query(self, request: Request) -> None:
        try:
            with EngineErrors():
                joiner = self._server.host.joiner(request.name)
                joiner.add(_asked(joiner.live, request, self.answer))
        except (VectisError, RuntimeError) as error:
            self._reply(request.id, error)

    async def _operate(self, request: Request) -> None:
        try:
            with EngineErrors():
                result = await OPERATIONS[request.op](self._server.host, request.name, request.body)
        except (VectisError, RuntimeError) as error:
            result = error
        self._reply(request.id, result)

    def _reply(self, request_id: int, result: Any) -> None:
        self.answer(request_id, result)
        self._server.send_answers()


def _asked(live: LiveCollection, request: Request, answer: Callable[[int, Any], None]) -> Asked:
    if request.op == "query":
        plan = live.plan(request.body)
        return Asked(answer, request.id, (plan,), (plan.request(request.vectors),), True)
    plans = [live.plan(body) for body in _outlines(request.body)]
    ends = list(accumulate(plan.parts for plan in plans))
    requests = [plan.request(request.vectors[end - plan.parts : end]) for plan, end in zip(plans, ends, strict=True)]
    return Asked(answer, request.id, plans, requests, False)


def _failure(error: BaseException) -> tuple[int, Any]:
    """How an exception is answered: refusals as such, anything else with its trace, so that bugs are seen."""
    if isinstance(error, VectisError):
        return REFUSED, refusal(error)
    trace = "".join(traceback.format_exception(error))
    sys.stderr.write(trace)
    return BROKEN, trace


def _on_loop_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A panic of the engine is no Exception; its state is unknown after that, so the process ends and is started anew."""
    error = context.get("exception")
    loop.default_exception_handler(context)
    if error is not None and not isinstance(error, Exception):
        sys.stderr.flush()
        os._exit(os.EX_SOFTWARE)


def _take_lock(folder: Path, path: Path) -> FolderLock:
    """The folder's lock. An ending process gets some time to give it up; then DataFolderInUse."""
    lock = FolderLock(folder)
    holder = Holder(os.getpid(), datetime.now(UTC), str(path))
    deadline = time.monotonic() + LOCK_WAIT_S
    while not lock.take(holder):
        if time.monotonic() > deadline:
            raise lock.conflict()
        select.select([], [], [], LOCK_RETRY_S)
    return lock


async def _serve(folder: Path, path: Path, versions: SharedVersions, parent_fd: int | None) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_on_loop_failure)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if parent_fd is not None:
        loop.add_reader(parent_fd, stop.set)
    server = EngineServer(DataFolder(folder), versions, loop)
    listener = await loop.create_unix_server(lambda: Connection(server), sock=_bound(path))
    housekeeping = loop.create_task(server.host.housekeep())
    housekeeping.add_done_callback(server.ended)
    gc.freeze()  # what is loaded by now stays: looking through it again would hold every answer up
    _say({"ready": True, "pid": os.getpid(), "socket": str(path)})
    await stop.wait()
    if parent_fd is not None:
        loop.remove_reader(parent_fd)
    listener.close()
    housekeeping.cancel()
    await server.finish()
    remove(path)


def _bound(path: Path) -> socket.socket:
    """A socket at `path` that only this user reaches; what a killed process left there goes."""
    remove(path)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(path))
    path.chmod(0o600)
    return bound


def _say(line: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the engine process. 0 after an orderly end; 1 with one line of JSON {code, message} when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m vectis.adapters.edge.process")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--versions", type=Path, required=True)
    parser.add_argument("--parent-fd", type=int)
    given = parser.parse_args(arguments)
    try:
        check_socket_path(given.socket)
        given.folder.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(given.folder, given.socket)
        versions = SharedVersions(given.versions)
        versions.engine_started()
    except VectisError as error:
        _say({"ready": False, "code": error.code, "message": error.message, "fields": error.fields})
        return 1
    run = asyncio.run if uvloop is None else uvloop.run
    run(_serve(given.folder, given.socket, versions, given.parent_fd))
    lock.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
