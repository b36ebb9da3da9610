"""A real embeddings endpoint on loopback whose answers a test scripts, down to bytes that are no HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest


class ScriptedEndpoint:
    """Answers each request with the next of `script` (status, headers, body; raw bytes; or seconds to wait), then rightly.

    A right answer gives text i of the request the vector [length of the text, i + 1, 0], in reverse order of index.
    """

    def __init__(self) -> None:
        self.script: list[tuple[int, dict[str, str], bytes] | bytes | float] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.at: list[float] = []
        self.under_way = self.under_way_max = 0
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ScriptedEndpoint"]:
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield self
        server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
            body = json.loads(await reader.readexactly(length))
            self.at.append(asyncio.get_running_loop().time())
            self.headers.append(head)
            self.bodies.append(body)
            self.under_way += 1
            self.under_way_max = max(self.under_way, self.under_way_max)
            writer.write(await self._answer(body))
            self.under_way -= 1
            await writer.drain()
        finally:
            writer.close()

    async def _answer(self, body: dict[str, Any]) -> bytes:
        step = self.script.pop(0) if self.script else 0.01
        if isinstance(step, bytes):
            return step
        if isinstance(step, float):
            await asyncio.sleep(step)
            return http(200, {}, embeddings([[len(text), i + 1, 0] for i, text in enumerate(body["input"])]))
        return http(*step)


def http(status: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", f"content-length: {len(body)}", "connection: close"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode() + body


def embeddings(vectors: list[list[float]]) -> bytes:
    items = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    return json.dumps({"object": "list", "data": items[::-1], "model": "m", "usage": {"total_tokens": 1}}).encode()


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    async with ScriptedEndpoint().serving() as serving:
        yield serving
