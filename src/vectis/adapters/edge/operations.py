"""What a client may ask besides queries: one function per operation name, each decoding its own body."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from vectis.adapters.edge.host import Host
from vectis.adapters.edge.layout import DISK_FLOOR_BYTES
from vectis.adapters.edge.wire import WirePoint
from vectis.domain.filters import Filter
from vectis.domain.points import PointId
from vectis.domain.queries import Selector
from vectis.domain.schema import CollectionSchema, PayloadIndexKind

Operation = Callable[[Host, str, bytes], Awaitable[Any]]

_schema = msgspec.msgpack.Decoder(CollectionSchema).decode
_points = msgspec.msgpack.Decoder(list[WirePoint]).decode
_ids = msgspec.msgpack.Decoder(list[PointId]).decode
_filter = msgspec.msgpack.Decoder(Filter).decode
_filter_or_none = msgspec.msgpack.Decoder(Filter | None).decode
_index = msgspec.msgpack.Decoder(tuple[str, PayloadIndexKind]).decode
_retrieval = msgspec.msgpack.Decoder(tuple[list[PointId], Selector, Selector]).decode
_scrolling = msgspec.msgpack.Decoder(tuple[int, PointId | None, Filter | None, Selector, Selector]).decode
_path = msgspec.msgpack.Decoder(str).decode
_aliases = msgspec.msgpack.Decoder(dict[str, str]).decode


async def _create(host: Host, name: str, body: bytes) -> None:
    await host.create(name, _schema(body))


async def _drop(host: Host, name: str, body: bytes) -> bool:
    return await host.drop(name)


async def _names(host: Host, name: str, body: bytes) -> list[str]:
    return host.folder.names()


async def _describe(host: Host, name: str, body: bytes) -> Any:
    return host.state(name)


async def _troubles(host: Host, name: str, body: bytes) -> list[str]:
    return host.troubles()


async def _create_payload_index(host: Host, name: str, body: bytes) -> None:
    await host.create_payload_index(name, *_index(body))


async def _optimize(host: Host, name: str, body: bytes) -> bool:
    return await host.optimize(name)


async def _apply_aliases(host: Host, name: str, body: bytes) -> None:
    host.apply_aliases(_aliases(body))


async def _get_aliases(host: Host, name: str, body: bytes) -> dict[str, str]:
    return host.aliases


async def _upsert(host: Host, name: str, body: bytes) -> None:
    with host.folder.space_for(len(body)):
        await host.live(name).upsert(_points(body))


async def _delete(host: Host, name: str, body: bytes) -> None:
    host.folder.require_space(reserve=DISK_FLOOR_BYTES)
    await host.live(name).delete(_ids(body))


async def _delete_matching(host: Host, name: str, body: bytes) -> None:
    host.folder.require_space(reserve=DISK_FLOOR_BYTES)
    await host.live(name).delete_matching(_filter(body))


async def _retrieve(host: Host, name: str, body: bytes) -> Any:
    return host.live(name).retrieve(*_retrieval(body))


async def _scroll(host: Host, name: str, body: bytes) -> Any:
    return host.live(name).scroll(*_scrolling(body))


async def _count(host: Host, name: str, body: bytes) -> int:
    return host.live(name).count(_filter_or_none(body))


async def _snapshot(host: Host, name: str, body: bytes) -> None:
    await host.snapshot(name, Path(_path(body)))


async def _restore(host: Host, name: str, body: bytes) -> None:
    await host.restore(name, Path(_path(body)))


async def _ping(host: Host, name: str, body: bytes) -> None:
    """Nothing: that it answers is the answer."""


async def _stats(host: Host, name: str, body: bytes) -> dict[str, Any]:
    return {**host.stats(), "pid": os.getpid()}


OPERATIONS: dict[str, Operation] = {
    "create": _create,
    "drop": _drop,
    "names": _names,
    "describe": _describe,
    "troubles": _troubles,
    "create_payload_index": _create_payload_index,
    "optimize": _optimize,
    "apply_aliases": _apply_aliases,
    "aliases": _get_aliases,
    "upsert": _upsert,
    "delete": _delete,
    "delete_matching": _delete_matching,
    "retrieve": _retrieve,
    "scroll": _scroll,
    "count": _count,
    "snapshot": _snapshot,
    "restore": _restore,
    "ping": _ping,
    "stats": _stats,
}
