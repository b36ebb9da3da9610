"""How a command finds its server: --url, else the holder of the data folder, else a private one for the time being."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from vectis.domain.errors import Unavailable
from vectis.entrypoints.cli.api import Api
from vectis.entrypoints.cli.credential import api_key_var
from vectis.entrypoints.cli.private_server import private_server
from vectis.runtime.data_folder import holder
from vectis.runtime.local_token import read_local_token

UNIX = "unix:"


@asynccontextmanager
async def connect(url: str | None, folder: Path, **environment: str) -> AsyncGenerator[Api]:
    """Give the server to talk to; a private one gets `environment` besides one's own.

    Unavailable when a private one does not start; a wrong `url` shows at the first call.
    """
    async with AsyncExitStack() as stack:
        if url:
            yield await stack.enter_async_context(client(url, api_key_var.get()))
            return
        where = await _local(stack, folder, environment)
        yield await stack.enter_async_context(client(where, read_local_token(folder) or api_key_var.get()))


async def _local(stack: AsyncExitStack, folder: Path, environment: Mapping[str, str]) -> str:
    if (found := holder(folder)) is not None:
        return found.url
    try:
        return f"{UNIX}{await stack.enter_async_context(private_server(folder, environment))}"
    except Unavailable:
        # Another command may have started its own at the same moment; then that one holds the folder.
        if (found := holder(folder)) is None:
            raise
        return found.url


@asynccontextmanager
async def client(url: str, credential: str) -> AsyncGenerator[Api]:
    """An HTTP client for `url`, or for the socket behind `unix:/path`, that shows `credential` when it is not empty."""
    headers = {"authorization": f"Bearer {credential}"} if credential else {}
    if url.startswith(UNIX):
        transport = httpx.AsyncHTTPTransport(uds=url.removeprefix(UNIX))
        http = httpx.AsyncClient(base_url="http://vectis", transport=transport, headers=headers)
    else:
        http = httpx.AsyncClient(base_url=url, headers=headers)
    async with http:
        yield Api(http, url, credential)
