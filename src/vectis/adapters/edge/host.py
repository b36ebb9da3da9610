"""What the engine process holds: the data folder, the open collections, the aliases, the builds. Sockets are in process.py."""

import asyncio
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from vectis.adapters.edge.automatic import AutomaticBuilds
from vectis.adapters.edge.build import Builds
from vectis.adapters.edge.joining import QueryJoiner
from vectis.adapters.edge.layout import (
    DISK_FLOOR_BYTES,
    DISK_RESERVE_BYTES,
    CollectionFolder,
    DataFolder,
    disk_errors,
    remove,
    replace_file,
    sync_folder,
    sync_tree,
)
from vectis.adapters.edge.live import LiveCollection, create_shard
from vectis.adapters.edge.refusals import EngineErrors
from vectis.adapters.edge.versions import SharedVersions
from vectis.domain.errors import (
    CollectionExists,
    CollectionNotFound,
    Conflict,
    DiskFull,
    EngineUnavailable,
    InvalidInput,
    NotFound,
    VectisError,
)
from vectis.domain.schema import CollectionSchema, CollectionState, PayloadIndexKind, check_name

HOUSEKEEPING_S = 0.5
INDEXED_IN_PLACE_MAX = 5_000
"""Points whose payload is indexed while everything waits, some 20 ms; of more the index is built on a copy."""

_IMAGE_SHARD = "shard"
_IMAGE_SCHEMA = "schema.json"


class Host:
    """All collections of one data folder. Collections are opened when first asked for."""

    def __init__(
        self,
        folder: DataFolder,
        versions: SharedVersions,
        loop: asyncio.AbstractEventLoop,
        answered: Callable[[], None],
    ) -> None:
        self.folder = folder
        self.builds = Builds(folder)
        self._flush_failures = 0
        self._versions = versions
        self._loop = loop
        self._answered = answered
        self._aliases = folder.aliases()
        self._open: dict[str, QueryJoiner] = {}
        self._damaged: dict[str, str] = {}
        self._admin = asyncio.Lock()
        self._automatic = AutomaticBuilds(self.builds, loop)

    def joiner(self, name: str) -> QueryJoiner:
        """The collection or alias `name`, opened.

        CollectionNotFound on absence; DiskFull, or EngineUnavailable where its files are damaged, when it cannot be opened.
        """
        name = self._aliases.get(name, name)
        joiner = self._open.get(name)
        if joiner is not None:
            joiner.live.require_open()
            return joiner
        check_name(name)
        folder = self.folder.collection(name)
        if folder is None:
            raise CollectionNotFound(f"no collection or alias is named {name!r}", name=name)
        self.folder.require_space(reserve=DISK_FLOOR_BYTES)
        joiner = self._open[name] = QueryJoiner(self._opened(name, folder), self._loop, self._answered)
        return joiner

    def _opened(self, name: str, folder: CollectionFolder) -> LiveCollection:
        try:
            with EngineErrors():
                live = LiveCollection(folder, self._versions.written)
        except RuntimeError as error:
            self._damaged[name] = f"it cannot be opened: {str(error)[:300]}"
            raise EngineUnavailable(
                f"collection {name!r} cannot be opened, its files are damaged: put a backup of the data folder back, or delete it"
            ) from error
        self._damaged.pop(name, None)
        return live

    def live(self, name: str) -> LiveCollection:
        """The open collection behind `joiner`."""
        return self.joiner(name).live

    async def create(self, name: str, schema: CollectionSchema) -> None:
        """Create it; durable on return."""
        check_name(name)
        if not (schema.dense or schema.sparse):
            raise InvalidInput("schema: a collection needs at least one dense or sparse vector")
        async with self._admin:
            self._require_absent(name)
            self.folder.require_space()
            draft, generation = self.folder.draft(name, schema)
            try:
                with disk_errors():
                    generation.mkdir()
                    create_shard(str(generation), schema)
                    await asyncio.to_thread(self.folder.publish, draft, name)
                self._versions.written(name)
            finally:
                remove(draft)

    async def drop(self, name: str) -> bool:
        """Remove it; False when there is none. A build of it ends."""
        check_name(name)
        async with self._admin:
            folder = self.folder.collection(name)
            if folder is None:
                return False
            joiner = self._open.get(name)
            if joiner is not None:
                joiner.live.dropped = True
                await self.builds.abandon(joiner.live)
                await joiner.live.settle()
                joiner.live.shard.close()
            trash = self.folder.condemn(folder)
            self._open.pop(name, None)
            self._damaged.pop(name, None)
            self._automatic.forget(name)
            self._versions.written(name)
            await asyncio.to_thread(remove, trash)  # first, for it may make the room that the aliases need
            if name in self._aliases.values():
                self._aliases = {a: c for a, c in self._aliases.items() if c != name}
                self.folder.write_aliases(self._aliases)
        return True

    def apply_aliases(self, aliases: dict[str, str]) -> None:
        """Replace all aliases in one change."""
        for alias, target in aliases.items():
            check_name(alias, what="alias")
            if self.folder.collection(alias) is not None:
                raise CollectionExists(f"alias {alias!r}: a collection has this name", name=alias)
            if self.folder.collection(target) is None:
                raise CollectionNotFound(f"alias {alias!r}: no collection is named {target!r}", name=target)
        if aliases != self._aliases:
            self.folder.write_aliases(aliases)
            self._aliases = dict(aliases)

    @property
    def aliases(self) -> dict[str, str]:
        """The aliases now."""
        return self._aliases

    async def optimize(self, name: str) -> bool:
        """Build now, after a build that runs already."""
        return await self.builds.build(self.live(name))

    async def create_payload_index(self, name: str, key: str, kind: PayloadIndexKind) -> None:
        """Index `key`; durable on return. Nothing waits for it, unless the collection is small."""
        live = self.live(name)
        if live.has_index(key, kind):
            return
        self.folder.require_space()
        if live.shard.info().points_count <= INDEXED_IN_PLACE_MAX:
            await live.create_payload_index(key, kind)
        else:
            await self.builds.index(live, key, kind)
        self._versions.written(live.name)  # an index of words changes what a text matches

    async def snapshot(self, name: str, target: Path) -> None:
        """Write an image into `target`, complete or not at all."""
        _require_no_folder(target)
        live = self.live(name)
        draft = target.with_name(f".{target.name}.partial")
        try:
            with disk_errors():
                remove(draft)
                draft.mkdir(parents=True)
                await self.builds.copy(live, draft / _IMAGE_SHARD)
                replace_file(draft / _IMAGE_SCHEMA, msgspec.json.encode(live.schema))
                await asyncio.to_thread(sync_tree, draft)
                draft.rename(target)
                sync_folder(target.parent)
        finally:
            await asyncio.to_thread(remove, draft)

    async def restore(self, name: str, source: Path) -> None:
        """Create `name` from an image, which stays as it is."""
        check_name(name)
        image = source / _IMAGE_SCHEMA
        if not image.is_file():
            raise NotFound(f"{source}: no image of a collection here", path=str(source))
        schema = msgspec.json.decode(image.read_bytes(), type=CollectionSchema)
        async with self._admin:
            self._require_absent(name)
            self.folder.require_space()
            draft, generation = self.folder.draft(name, schema)
            try:
                with disk_errors():
                    await self.builds.copy_folder(source / _IMAGE_SHARD, generation, image)
                    await asyncio.to_thread(self.folder.publish, draft, name)
                self._versions.written(name)
            finally:
                await asyncio.to_thread(remove, draft)

    async def housekeep(self) -> None:
        """Flush what is due and start builds that are due, for ever."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)  # a clock, nothing to wait for
            for name, joiner in list(self._open.items()):
                try:
                    with EngineErrors():
                        joiner.live.flush_when_due()
                except (VectisError, RuntimeError) as error:
                    self._flush_failures += 1
                    sys.stderr.write(f"flush of {name}: {type(error).__name__}: {error}\n")
                self._automatic.start_when_due(joiner.live)

    def state(self, name: str) -> CollectionState:
        """Counts and state now, and why its builds fail, or, with counts of 0, why it cannot be opened."""
        try:
            live = self.live(name)
        except EngineUnavailable:
            if (trouble := self._damaged.get(self._aliases.get(name, name))) is None:
                raise
            return CollectionState(points=0, indexed_vectors=0, segments=0, payload_indexes={}, trouble=trouble)
        return msgspec.structs.replace(live.state(), trouble=self._automatic.failing.get(live.name))

    def troubles(self) -> list[str]:
        """What works worse than it should, without names. DiskFull when collections cannot be opened."""
        if self._has_room(DISK_FLOOR_BYTES):
            found = [] if self._has_room(DISK_RESERVE_BYTES) else ["the disk is nearly full, so writes are refused"]
        elif all(name in self._open for name in self.folder.names()):
            found = ["the disk is full, so writes are refused"]
        else:
            raise DiskFull("the disk is full, so collections cannot be opened; make room")
        if self._damaged:
            found.append(f"{len(self._damaged)} collections cannot be opened; their descriptions say why")
        if failing := self._automatic.failing:
            found.append(f"{len(failing)} collections need a build that fails; their descriptions say why")
        return found

    def _has_room(self, reserve: int) -> bool:
        try:
            self.folder.require_space(reserve=reserve)
        except DiskFull:
            return False
        return True

    async def close(self) -> None:
        """End builds, flush and close everything."""
        for joiner in self._open.values():
            await joiner.live.settle()
            joiner.drain()
            joiner.live.close()

    def stats(self) -> dict[str, Any]:
        """What there is to measure, per collection that is open."""
        collections: dict[str, Any] = {}
        for name, joiner in self._open.items():
            times = self.builds.times.get(name)
            collections[name] = {
                "points": joiner.live.shard.info().points_count,
                "unindexed": joiner.live.unindexed,
                "building": joiner.live.building,
                "queries": joiner.requests,
                "batches": joiner.batches,
                "waiting": joiner.waiting,
                "last_build": msgspec.to_builtins(times) if times else None,
            }
        return {
            "collections": collections,
            "failures": self._automatic.failures,
            "flush_failures": self._flush_failures,
            "resident_bytes": _resident_bytes(),
            "disk_free_bytes": shutil.disk_usage(self.folder.path).free,
        }

    def _require_absent(self, name: str) -> None:
        if name in self._aliases or self.folder.collection(name) is not None:
            raise CollectionExists(f"a collection or alias {name!r} exists already", name=name)


def _require_no_folder(folder: Path) -> None:
    if folder.exists():
        raise Conflict(f"{folder}: exists already; an image goes into a folder of its own", path=str(folder))


def _resident_bytes() -> int:
    """Memory of this process now, where the system says so; otherwise the most it ever had."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
