"""How a command finds its server: --url, else the holder of the data folder, else a private one for the time being."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from vectis.entrypoints.cli.api import Api
from vectis.entrypoints.cli.private_server import private_server
from vectis.runtime.data_folder import holder

UNIX = "unix:"


@asynccontextmanager
async def connect(url: str | None, folder: Path) -> AsyncGenerator[Api]:
    """Give the server to talk to. Unavailable when a private one does not start; a wrong `url` shows at the first call."""
    if url is not None:
        async with client(url) as api:
            yield api
    elif (found := holder(folder)) is not None:
        async with client(found.url) as api:
            yield api
    else:
        async with private_server(folder) as socket, client(f"{UNIX}{socket}") as api:
            yield api


@asynccontextmanager
async def client(url: str) -> AsyncGenerator[Api]:
    """An HTTP client for `url`, or for the socket behind `unix:/path`."""
    if url.startswith(UNIX):
        transport = httpx.AsyncHTTPTransport(uds=url.removeprefix(UNIX))
        http = httpx.AsyncClient(base_url="http://vectis", transport=transport)
    else:
        http = httpx.AsyncClient(base_url=url)
    async with http:
        yield Api(http, url)
