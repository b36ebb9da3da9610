"""How a command finds its server: --url, else the holder of the data folder, else a private one for the time being."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import httpx

from vectis.domain.errors import Unavailable
from vectis.entrypoints.cli.exits import perform
from vectis.entrypoints.cli.server.api import Api
from vectis.entrypoints.cli.server.credential import api_key_var
from vectis.entrypoints.cli.server.private_server import private_server
from vectis.runtime.data_folder import holder
from vectis.runtime.local_token import read_local_token

UNIX = "unix:"
POLL_S = 0.1
FIND_AGAIN_S = 30.0
"""How long a command looks for another server when its own was another's and has ended."""

T = TypeVar("T")


def ask(work: Callable[[Api], Coroutine[Any, Any, T]], url: str | None, folder: Path, *, as_json: bool) -> T:
    """Carry out what a command wants of its server; an error ends the command as `perform` says."""

    async def conversation() -> T:
        async with connect(url, folder) as api:
            return await work(api)

    return perform(conversation(), as_json=as_json)


@asynccontextmanager
async def connect(url: str | None, folder: Path, **environment: str) -> AsyncGenerator[Api]:
    """Give the server to talk to; a private one gets `environment` besides one's own.

    Unavailable when a private one does not start; a wrong `url` shows at the first call.
    """
    async with AsyncExitStack() as stack:
        if url:
            yield await stack.enter_async_context(client(url, api_key_var.get()))
            return
        server = _LocalServer(stack, folder, environment)
        where, credential = await server.find(), read_local_token(folder) or api_key_var.get()
        http = httpx.AsyncClient(base_url="http://vectis", transport=server, headers=_showing(credential))
        yield Api(await stack.enter_async_context(http), where, credential)


class _LocalServer(httpx.AsyncBaseTransport):
    """Whoever serves a data folder: its holder, else a private server.

    That may be another command's private server, which ends with that command: a request that it took no more goes to the next.
    """

    def __init__(self, stack: AsyncExitStack, folder: Path, environment: Mapping[str, str]) -> None:
        self._stack = stack
        self._folder = folder
        self._environment = environment
        self._where = ""
        self._transport = httpx.AsyncHTTPTransport()

    async def find(self) -> str:
        """Find or start the server and give its URL. Unavailable when a private one does not start."""
        where = await self._locate()
        uds = where.removeprefix(UNIX) if where.startswith(UNIX) else None
        self._where, self._transport = where, httpx.AsyncHTTPTransport(uds=uds)
        self._stack.push_async_callback(self._transport.aclose)
        return where

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        deadline = monotonic() + FIND_AGAIN_S
        while True:
            if not self._where.startswith(UNIX):
                request.url = request.url.copy_with(raw_path=request.url.raw_path, **_place(self._where))
            try:
                return await self._transport.handle_async_request(request)
            except httpx.ConnectError:
                if monotonic() > deadline:
                    raise
            # the one that ends holds the folder for a moment still, and tells nobody when it lets go
            await asyncio.sleep(POLL_S)
            with suppress(Unavailable):
                await self.find()

    async def _locate(self) -> str:
        if (found := holder(self._folder)) is not None:
            return found.url
        try:
            path = await self._stack.enter_async_context(private_server(self._folder, self._environment))
        except Unavailable:
            # Another command may have started its own at the same moment; then that one holds the folder.
            if (found := holder(self._folder)) is None:
                raise
            return found.url
        return f"{UNIX}{path}"


def _place(url: str) -> dict[str, Any]:
    parsed = httpx.URL(url)
    return {"scheme": parsed.scheme, "host": parsed.host, "port": parsed.port}


@asynccontextmanager
async def client(url: str, credential: str) -> AsyncGenerator[Api]:
    """An HTTP client for `url`, or for the socket behind `unix:/path`, that shows `credential` when it is not empty."""
    headers = _showing(credential)
    if url.startswith(UNIX):
        transport = httpx.AsyncHTTPTransport(uds=url.removeprefix(UNIX))
        http = httpx.AsyncClient(base_url="http://vectis", transport=transport, headers=headers)
    else:
        http = httpx.AsyncClient(base_url=url, headers=headers)
    async with http:
        yield Api(http, url, credential)


def _showing(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"} if credential else {}
