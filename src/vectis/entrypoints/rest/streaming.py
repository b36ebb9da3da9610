"""Answers that go on: server-sent events, bounded in number and ended with the process."""

import asyncio
from collections.abc import AsyncGenerator

from starlette.types import Receive, Scope, Send

from vectis.domain.access import Caller
from vectis.domain.errors import Overloaded
from vectis.entrypoints.rest.operation import EVENTS, Endpoint, Operation
from vectis.entrypoints.rest.reception import Reception
from vectis.runtime.services import Services

STREAMS_MAX = 100
"""Streams of one process at a time: each asks the control store four times a second."""


class EventStreams:
    """The streams of one process."""

    def __init__(self) -> None:
        self._open = 0
        self._ending = asyncio.Event()

    def end(self) -> None:
        """End every stream, now and from now on: the process ends, and clients come again to the next one."""
        self._ending.set()

    async def send(self, receive: Receive, send: Send, request_id: str, events: AsyncGenerator[bytes]) -> None:
        """Send events as they come, until there are no more or the client is gone. Raises Overloaded beyond 100 streams."""
        if self._open >= STREAMS_MAX:
            raise Overloaded(f"{STREAMS_MAX} streams are open already; come again shortly", maximum=STREAMS_MAX)
        self._open += 1
        sending = asyncio.ensure_future(_send_all(send, request_id, events))
        ends = {asyncio.ensure_future(_gone(receive)), asyncio.ensure_future(self._ending.wait())}
        try:
            await asyncio.wait({sending, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *ends):
                task.cancel()
            await asyncio.wait({sending, *ends})
            self._open -= 1
        if not sending.cancelled():
            sending.result()
        await send({"type": "http.response.body", "body": b""})


class StreamingEndpoint(Endpoint):
    """The ASGI application of an operation whose handler gives events."""

    def __init__(self, operation: Operation, services: Services, reception: Reception, streams: EventStreams) -> None:
        super().__init__(operation, services, reception)
        self._streams = streams

    async def _answer(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        handler, call = self.call(caller, scope, b"", "")
        await self._streams.send(receive, send, scope["vectis.request_id"], await handler(call))


async def _send_all(send: Send, request_id: str, events: AsyncGenerator[bytes]) -> None:
    headers = [
        (b"content-type", EVENTS.encode()),
        (b"cache-control", b"no-cache"),
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for event in events:
        await send({"type": "http.response.body", "body": event, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
