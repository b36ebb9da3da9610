"""What a connection may take before it is a request, and how long a body may take to come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from vectis.domain.errors import MalformedBody, TooLarge
from vectis.entrypoints.rest.connection import BESIDE_BODY_BYTES_MAX, BoundedConnection
from vectis.entrypoints.rest.operation import read, respond

DEADLINE_S = 30.0


class ImpatientConnection(BoundedConnection):
    """Waits less, so that the test need not."""

    begin_s_max = 0.2


async def _length(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read(receive, 2**24)
    await respond(send, 200, str(len(body)).encode(), "text/plain", "1", {})


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    config, state = uvicorn.Config(_length, lifespan="off", ws="none", log_config=None), ServerState()
    listening = asyncio.get_running_loop().create_server(lambda: ImpatientConnection(config, state, {}), "127.0.0.1", 0)
    async with await listening as server:
        yield server.sockets[0].getsockname()


async def _all_that_comes(address: tuple[str, int], *parts: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    reader, writer = await asyncio.open_connection(*address)
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    async with asyncio.timeout(DEADLINE_S):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


@pytest.mark.parametrize(
    "sent",
    [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"],
    ids=["nothing", "blank", "half a head", "no body"],
)
async def test_a_request_that_does_not_begin_closes_the_connection(address: tuple[str, int], sent: bytes) -> None:
    assert await _all_that_comes(address, sent) == b""


@pytest.mark.parametrize(
    "sent",
    [
        [b"GET / HTTP/1.1\r\nX: ", *[b"a" * 65_536] * 64],
        [b"GET / HTTP/1.1\r\n", *[b"X: a\r\n" * 10_000] * 64],
        [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", *[b"a" * 65_536] * 64],
        [b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", *[b"X: a\r\n" * 10_000] * 64],
    ],
    ids=["one header", "many headers", "framing", "trailers"],
)
async def test_what_comes_beside_a_body_is_bounded(address: tuple[str, int], sent: list[bytes]) -> None:
    answer = await _all_that_comes(address, *sent)
    assert b"200" not in answer.split(b"\r\n")[0]


async def test_bodies_of_any_framing_come_through_on_one_connection(address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*address)
    one = b"POST / HTTP/1.1\r\nHost: a\r\n"
    long = one + b"Content-Length: 1000000\r\n\r\n" + b"a" * 1_000_000
    small_chunks = one + b"Transfer-Encoding: chunked\r\n\r\n" + b"4\r\naaaa\r\n" * 50_000 + b"0\r\n\r\n"
    for sent, size in [(long, 1_000_000), (small_chunks, 200_000), (one + b"\r\n", 0), (long, 1_000_000)]:
        writer.write(sent)
        async with asyncio.timeout(DEADLINE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len(str(size))) == str(size).encode()
    writer.close()
    assert BESIDE_BODY_BYTES_MAX < 200_000


async def test_a_body_that_does_not_come_is_given_up() -> None:
    async def half() -> Message:
        if not sent:
            sent.append(True)
            return {"type": "http.request", "body": b"{", "more_body": True}
        await asyncio.Event().wait()
        raise AssertionError

    sent: list[bool] = []
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(MalformedBody, match="1 bytes came"):
            await read(half, 100, patience_s=0.05)
    with pytest.raises(TooLarge):
        await read(lambda: asyncio.sleep(0, {"type": "http.request", "body": b"{" * 9}), 8)
