"""The client's end of the socket: requests pipelined over one connection, repeated on a new one when it breaks."""

import asyncio
from asyncio import Future, TimerHandle
from pathlib import Path
from typing import Any, NamedTuple, cast

from vectis.adapters.edge import wire
from vectis.domain.errors import EngineUnavailable, TooLarge

RETRY_FIRST_S = 0.02
RETRY_MAX_S = 0.25
SWEEP_S = 0.1
PING_S = 1.0
"""Silence after which the engine process is asked whether it lives."""

PING_FRAME = wire.framed(wire.encode((0, "ping", "", b"", ())))


class Pending(NamedTuple):
    """A request without an answer yet. Its frame is kept, to be sent again."""

    future: "Future[Any]"
    deadline: float
    frame: bytes


class Link:
    """A connection to the engine process that is made anew when it breaks."""

    def __init__(self, socket: Path, timeout_s: float) -> None:
        wire.check_socket_path(socket)
        self._socket = socket
        self._timeout_s = timeout_s
        self._pending: dict[int, Pending] = {}
        self._last_id = 0
        self._outgoing: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._sweeper: TimerHandle | None = None
        self._open = False
        self._heard_at = 0.0
        self._pinged = False

    async def open(self) -> None:
        """Return when connected; EngineUnavailable when that takes longer than the time limit."""
        if not self._open:
            self._open = True
            self._reconnect()
        if self._connecting is not None:
            done, _ = await asyncio.wait([self._connecting], timeout=self._timeout_s)
            if not done:
                await self.close()
                raise self._unavailable()

    async def close(self) -> None:
        """End it; what waits gets EngineUnavailable."""
        self._open = False
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
            await asyncio.wait([connecting])
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        for pending in self._pending.values():
            if not pending.future.done():
                pending.future.set_exception(EngineUnavailable("the connection to the engine was closed"))
        self._pending.clear()

    async def ask(
        self,
        op: str,
        name: str = "",
        body: bytes = b"",
        vectors: wire.Parts | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Any:
        """The engine's answer, or the error it gave. EngineUnavailable at the time limit or when the link is closed."""
        if not self._open:
            raise EngineUnavailable("the client of the engine is not connected; call connect() first")
        self._last_id = request_id = self._last_id + 1
        frame = wire.framed(wire.encode((request_id, op, name, body, vectors or ())))
        if len(frame) > wire.REQUEST_MAX_BYTES:
            raise TooLarge(
                f"{op}: {len(frame)} bytes, the maximum is {wire.REQUEST_MAX_BYTES}", maximum=wire.REQUEST_MAX_BYTES
            )
        loop = asyncio.get_running_loop()
        future: Future[Any] = loop.create_future()
        self._pending[request_id] = Pending(future, loop.time() + (timeout_s or self._timeout_s), frame)
        if self._sweeper is None:
            self._heard_at, self._pinged = loop.time(), False
            self._sweeper = loop.call_later(SWEEP_S, self._sweep, loop)
        if self._transport is not None:
            if not self._outgoing:
                loop.call_soon(self._send)
            self._outgoing.append(frame)
        try:
            return await future
        finally:
            self._pending.pop(request_id, None)

    def connected(self, transport: asyncio.Transport) -> None:
        """Called by the protocol: send what waits, again where it was sent before."""
        self._transport = transport
        self._pinged = False
        self._outgoing.clear()
        transport.write(b"".join(pending.frame for pending in self._pending.values()))

    def broken(self, transport: asyncio.Transport | None) -> None:
        """Called by the protocol: the connection is gone."""
        if transport is self._transport:
            self._transport = None
            self._outgoing.clear()
            if self._open:
                self._reconnect()

    def answered(self, frame: memoryview) -> None:
        """Called by the protocol: a frame of answers."""
        pending = self._pending
        self._heard_at, self._pinged = asyncio.get_running_loop().time(), False
        for request_id, status, result in wire.decode_answers(frame):
            waiting = pending.get(request_id)
            if waiting is None or waiting.future.done():
                continue
            if status == wire.DONE:
                waiting.future.set_result(result)
            elif status == wire.REFUSED:
                waiting.future.set_exception(wire.raised(*result))
            else:
                waiting.future.set_exception(RuntimeError(f"the engine process failed:\n{result}"))

    def _send(self) -> None:
        if self._transport is not None and self._outgoing:
            self._transport.write(b"".join(self._outgoing) if len(self._outgoing) > 1 else self._outgoing[0])
            self._outgoing.clear()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        silent = now - self._heard_at > self._timeout_s
        if self._transport is not None and not self._pinged and now - self._heard_at > min(PING_S, self._timeout_s / 4):
            self._pinged = True
            self._transport.write(PING_FRAME)
        for pending in self._pending.values():
            if (silent or pending.deadline < now) and not pending.future.done():
                pending.future.set_exception(self._unavailable())
        self._sweeper = loop.call_later(SWEEP_S, self._sweep, loop) if self._pending else None

    def _reconnect(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = RETRY_FIRST_S
        while True:
            try:
                await loop.create_unix_connection(lambda: _Client(self), path=str(self._socket))
            except OSError:
                await asyncio.sleep(wait_s)  # nothing tells when a socket appears
                wait_s = min(2 * wait_s, RETRY_MAX_S)
            else:
                if self._connecting is asyncio.current_task():
                    self._connecting = None
                return

    def _unavailable(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"the engine does not answer on {self._socket}; it is starting, busy, or was never started",
            retry_after_s=1.0,
        )


class _Client(asyncio.Protocol):
    """Hands what the loop says to the link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._reader = wire.FrameReader(wire.ANSWER_MAX_BYTES)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._link.connected(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.broken(self._transport)

    def data_received(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            self._link.answered(frame)
