"""The load generator against a small real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress

import pytest

from vectis.entrypoints.cli.trials.load import length_of, load, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


@asynccontextmanager
async def answering(answers: Callable[[bytes], list[bytes]]) -> AsyncIterator[str]:
    """A server that sends the pieces that `answers` gives for each body, and closes where a piece is empty."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                for piece in answers(await reader.readexactly(length_of(head))):
                    if not piece:
                        return
                    writer.write(piece)
                    await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def request(body: bytes = b"{}") -> bytes:
    return post("/x", body, "application/json")


async def test_every_answer_is_counted_and_requests_come_in_turn() -> None:
    seen: list[bytes] = []

    def answers(body: bytes) -> list[bytes]:
        seen.append(body)
        return [OK + b"hello"]

    async with answering(answers) as url:
        report = await load(url, [request(b"1"), request(b"2")], clients=1, seconds=30, answers_max=10)
    assert (report.answers, report.errors, seen) == (10, 0, [b"1", b"2"] * 5)
    assert 0 < report.latency_ms_p50 <= report.latency_ms_p95 <= report.latency_ms_p99 <= report.latency_ms_max
    assert report.requests_per_s > 0


async def test_answers_in_pieces_are_put_together() -> None:
    async with answering(lambda _: [OK[:10], OK[10:], b"he", b"llo"]) as url:
        report = await load(url, [request()], clients=3, seconds=30, answers_max=30)
    assert report.errors == 0
    assert report.answers >= 30


async def test_refusals_are_errors() -> None:
    async with answering(lambda _: [b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"]) as url:
        report = await load(url, [request()], clients=2, seconds=30, answers_max=20)
    assert report.answers == 0
    assert report.errors >= 20


async def test_dropped_connections_are_errors_and_opened_again() -> None:
    turn = iter(range(1000))

    async with answering(lambda _: [b""] if next(turn) % 2 else [OK + b"hello"]) as url:
        report = await load(url, [request()], clients=1, seconds=30, answers_max=10)
    assert (report.answers, report.errors) == (5, 5)


async def test_nobody_listening_is_said() -> None:
    with pytest.raises(OSError, match="Connect"):
        await load("http://127.0.0.1:9", [request()], clients=2, seconds=1)
