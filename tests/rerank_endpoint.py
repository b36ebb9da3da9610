"""A rerank endpoint of this machine whose scores are how many words query and document share."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvicorn


class RerankEndpoint:
    """An ASGI application. `answer` replaces what it answers with; it keeps what it was asked in `asked`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: bytes | None = None
        self.wait_s = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        asked = msgspec.json.decode(body)
        self.asked.append(asked)
        await asyncio.sleep(self.wait_s)  # what a slow model takes
        words = set(asked["query"].split())
        results = [
            {"index": i, "relevance_score": float(len(words & set(text.split())))}
            for i, text in enumerate(asked["documents"])
        ]
        results.sort(key=lambda result: -result["relevance_score"])
        content = msgspec.json.encode({"model": "words", "results": results[: asked["top_n"]]})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": content if self.answer is None else self.answer})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The address of the endpoint, up to what comes before /rerank."""
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(self, lifespan="off", log_level="error"))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server.should_exit = True
        await running
