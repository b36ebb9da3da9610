"""What a server says of its health, asked over its own listener; without an HTTP client, which the supervisor has no use for."""

import asyncio
from enum import IntEnum

import msgspec

DEADLINE_S = 5.0
_REQUEST = b"GET /health HTTP/1.1\r\nHost: vectis\r\nConnection: close\r\n\r\n"


class HealthGrade(IntEnum):
    """From good to bad, as the route /health says it; `silent` when nothing answers in time."""

    HEALTHY = 0
    DEGRADED = 1
    UNHEALTHY = 2
    SILENT = 3


class _Said(msgspec.Struct):
    status: str


async def ask_health(url: str) -> HealthGrade:
    """Ask the server at `http://HOST:PORT` or `unix:PATH`. Takes at most five seconds and never raises."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await _open(url)
            writer.write(_REQUEST)
            answer = await reader.read()
            writer.close()
        said = msgspec.json.decode(answer.partition(b"\r\n\r\n")[2], type=_Said)
        return HealthGrade[said.status.upper()]
    except (OSError, TimeoutError, asyncio.IncompleteReadError, msgspec.MsgspecError, KeyError):
        return HealthGrade.SILENT


async def _open(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if url.startswith("unix:"):
        return await asyncio.open_unix_connection(url.removeprefix("unix:"))
    host, _, port = url.removeprefix("http://").rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))
