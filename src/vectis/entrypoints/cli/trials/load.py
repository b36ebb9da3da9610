"""A load generator for HTTP: prebuilt requests over kept-alive connections, latencies as the client sees them.

It reads no more of an answer than its status and length, so that it costs little beside the server that it measures. Run
it on a uvloop event loop.
"""

import asyncio
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from math import ceil
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import msgspec

ANSWERS_MAX = 2_000_000
PATIENCE_S = 10.0
_END_OF_HEADERS = b"\r\n\r\n"
_LENGTH = b"content-length:"


class LoadReport(msgspec.Struct, frozen=True):
    """What a run saw. `errors` counts answers that are not 200 and requests without an answer; latencies are of 200s."""

    clients: int
    seconds: float
    answers: int
    errors: int
    requests_per_s: float
    latency_ms_p50: float
    latency_ms_p95: float
    latency_ms_p99: float
    latency_ms_max: float


class _Run:
    """What all clients of a run share: the requests in turn, the end, and what was counted."""

    def __init__(self, requests: Sequence[bytes], seconds: float, answers_max: int) -> None:
        self.requests: Iterator[bytes] = cycle(requests)
        self.latencies = array("d")
        self.errors = 0
        self._answers_max = answers_max
        self.began = perf_counter()
        self._end = self.began + seconds

    def goes_on(self, now: float) -> bool:
        return now < self._end and len(self.latencies) + self.errors < self._answers_max


class _LoadClient(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, notes its latency, sends the next."""

    def __init__(self, run: _Run, ended: Callable[[], None]) -> None:
        self._run = run
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._sent_at = 0.0
        self._waiting = False
        self._head = b""
        self._missing = 0
        self._good = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send(perf_counter())

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(_END_OF_HEADERS)
            if end < 0:
                return
            self._good = self._head[9:12] == b"200"
            self._missing = length_of(self._head[:end]) - (len(self._head) - end - len(_END_OF_HEADERS))
            self._head = b""
        if self._missing <= 0:
            self._missing = 0
            self._answered(perf_counter())

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._run.errors += 1
        self._ended()

    def _answered(self, now: float) -> None:
        self._waiting = False
        if self._good:
            self._run.latencies.append(now - self._sent_at)
        else:
            self._run.errors += 1
        self._send(now)

    def _send(self, now: float) -> None:
        assert self._transport is not None
        if not self._run.goes_on(now):
            self._transport.close()
            return
        self._sent_at = now
        self._waiting = True
        self._transport.write(next(self._run.requests))


async def load(
    url_or_socket: str,
    requests: Sequence[bytes],
    clients: int,
    seconds: float,
    *,
    answers_max: int = ANSWERS_MAX,
) -> LoadReport:
    """Send `requests` in turn, over and over, from `clients` connections, for `seconds` or until `answers_max` answers.

    `url_or_socket` is http://host:port or unix:/path; each of `requests` is a whole HTTP/1.1 request (see `post`). A
    connection that the server drops counts as an error and is opened again. Raises OSError when none can be opened.
    """
    run = _Run(requests, seconds, answers_max)
    tasks = [asyncio.create_task(_connections(url_or_socket, run)) for _ in range(clients)]
    try:
        done, unanswered = await asyncio.wait(tasks, timeout=seconds + PATIENCE_S, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        run.errors += len(unanswered)
    finally:
        for task in tasks:
            task.cancel()
    return _report(run, clients, perf_counter() - run.began)


def post(path: str, body: bytes, content_type: str, *, kept: bool = False) -> bytes:
    """A whole POST request that keeps its connection open; it asks for work, unless answers that are `kept` will do."""
    cache_control = "" if kept else "cache-control: no-cache\r\n"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n{cache_control}"
        f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def with_credential(request: bytes, credential: str) -> bytes:
    """The request with a key or token shown in it; as it is without one."""
    shown = f"authorization: Bearer {credential}\r\naccept:".encode("ascii") if credential else b"accept:"
    return request.replace(b"accept:", shown, 1)


def length_of(headers: bytes) -> int:
    """The Content-Length that an answer's headers tell; 0 when they tell none."""
    lowered = headers.lower()
    at = lowered.find(_LENGTH)
    if at < 0:
        return 0
    end = lowered.find(b"\r\n", at)
    return int(lowered[at + len(_LENGTH) : end if end >= 0 else None])


async def _connections(url_or_socket: str, run: _Run) -> None:
    """Keep one client connected until the run is over."""
    loop = asyncio.get_running_loop()
    while run.goes_on(perf_counter()):
        over = asyncio.Event()
        protocol = _LoadClient(run, over.set)
        if url_or_socket.startswith("unix:"):
            transport, _ = await loop.create_unix_connection(lambda p=protocol: p, url_or_socket.removeprefix("unix:"))
        else:
            parts = urlsplit(url_or_socket)
            transport, _ = await loop.create_connection(lambda p=protocol: p, parts.hostname or "", parts.port or 80)
        try:
            await over.wait()
        finally:
            transport.close()


def _report(run: _Run, clients: int, seconds: float) -> LoadReport:
    ordered = sorted(run.latencies)
    return LoadReport(
        clients=clients,
        seconds=round(seconds, 3),
        answers=len(ordered),
        errors=run.errors,
        requests_per_s=round(len(ordered) / seconds, 1),
        latency_ms_p50=_quantile_ms(ordered, 0.50),
        latency_ms_p95=_quantile_ms(ordered, 0.95),
        latency_ms_p99=_quantile_ms(ordered, 0.99),
        latency_ms_max=_quantile_ms(ordered, 1.0),
    )


def _quantile_ms(ordered: Sequence[float], share: float) -> float:
    """The smallest latency that at least `share` of the answers do not exceed; 0 without answers."""
    if not ordered:
        return 0.0
    return round(ordered[max(ceil(share * len(ordered)), 1) - 1] * 1000, 3)
