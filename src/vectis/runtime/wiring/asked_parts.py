"""Asks the other sides that settings name, before a server is started with them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from vectis.adapters.redis.link import LinkBounds, RedisLink
from vectis.adapters.sql.store import ask_store
from vectis.domain.errors import VectisError
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import Settings
from vectis.runtime.wiring.embedders import open_embedders
from vectis.runtime.wiring.engine import open_engine

DEADLINE_S = 10.0


class AskedPart(msgspec.Struct, frozen=True):
    """What one part answered; `detail` is what was found, or why it does not answer."""

    part: str
    ok: bool
    detail: str


async def ask_parts(settings: Settings) -> list[AskedPart]:
    """Ask store, engine, cache and embedder once, each for ten seconds at most. Nothing is changed on the other side."""
    asks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "store": _store,
        "engine": _engine,
        "cache": _cache,
        "embedder": _embedder,
    }
    return list(await asyncio.gather(*(_asked(part, ask, settings) for part, ask in asks.items())))


async def _asked(part: str, ask: Callable[[Settings], Awaitable[str]], settings: Settings) -> AskedPart:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return AskedPart(part, True, await ask(settings))
    except TimeoutError:
        return AskedPart(part, False, f"no answer within {DEADLINE_S:g} s")
    except VectisError as error:
        return AskedPart(part, False, error.message)


async def _store(settings: Settings) -> str:
    url, file = settings.store.url.reveal(), _layout(settings).control
    if not url and not file.exists():
        return f"the first start makes {file}"
    await ask_store(url or f"sqlite:///{file}")
    return "answers"


async def _engine(settings: Settings) -> str:
    paths = _layout(settings)
    if settings.engine.kind == "edge" and not paths.engine_socket.exists():
        return "embedded: it starts with the server"
    async with AsyncExitStack() as stack:
        engine = await open_engine(stack, settings.engine, paths)
        return f"{engine.features.name} holds {len(await engine.names())} collections"


async def _cache(settings: Settings) -> str:
    cache = settings.cache
    if not cache.redis_url:
        return "in each process; no server is named"
    link = RedisLink(
        cache.redis_url.reveal(),
        LinkBounds(
            pool_max=1,
            pool_min=0,
            connect_s=cache.redis_connect_timeout_s,
            answer_s=cache.redis_timeout_s,
        ),
    )
    try:
        await link.check()
    finally:
        await link.close()
    return "answers"


async def _embedder(settings: Settings) -> str:
    if settings.embedder.kind == "none":
        return "switched off"
    async with AsyncExitStack() as stack:
        embedders = await open_embedders(stack, settings.embedder, _layout(settings))
        embedder = await embedders.of(embedders.usual)
        return f"{embedder.profile.model} gave {len(await embedder.embed_query('ready'))} numbers"


def _layout(settings: Settings) -> FolderLayout:
    return FolderLayout(Path(settings.server.data_dir))
