"""Builds: an index of a collection is made on a copy by another process, then the collection moves to the copy.

Whatever dies at whatever step, CURRENT names a complete shard: the old one until the new one is flushed, the new one after.
"""

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import msgspec
import qdrant_edge as qe

from vectis.adapters.edge.layout import DataFolder, blocks_bytes, remove
from vectis.adapters.edge.live import SLICE_POINTS, LiveCollection, open_shard
from vectis.domain.errors import DiskFull, EngineUnavailable
from vectis.domain.schema import PayloadIndexKind

QUIET_S = 3.0
"""How long writes must have rested before a build starts by itself, unless a lot is unindexed."""

QUIET_SHARE_MIN = 0.05
"""The part of the points that must be unindexed for a build after a rest; and at least this part of the indexing threshold."""

QUIET_THRESHOLD_PART = 0.125

BUSY_SHARE_MIN = 0.25
"""The part of the points that must be unindexed for a build amid writes; and at least twice the indexing threshold."""


class BuilderReport(msgspec.Struct):
    """A line that the builder process says."""

    ready: bool = False
    copied_bytes: int = 0
    changed: bool = False
    work_s: float = 0.0
    error: str | None = None
    disk_full: bool = False


class BuildTimes(msgspec.Struct):
    """How long the last build of a collection took: all of it, the copy (writes wait), the swap (everything waits)."""

    build_s: float
    copy_s: float
    swap_s: float
    replayed: int


def due(live: LiveCollection, now: float) -> bool:
    """Whether `live` should be built by itself."""
    optimizers = live.schema.optimizers
    quiet = now - live.written_at > QUIET_S
    point_bytes = 4 * sum(params.size for params in live.schema.dense.values())
    points = live.shard.info().points_count
    if point_bytes:
        threshold = optimizers.indexing_threshold * 1024 / point_bytes
        if live.unindexed > max(2 * threshold, points * BUSY_SHARE_MIN):
            return True
        if quiet and live.unindexed > max(QUIET_THRESHOLD_PART * threshold, points * QUIET_SHARE_MIN):
            return True
    condemned = max(optimizers.vacuum_min_vector_number, points * optimizers.deleted_threshold)
    return quiet and live.removed > condemned


class Builds:
    """Runs builds and copies, one at a time."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._closed = False
        self.times: dict[str, BuildTimes] = {}

    async def build(self, live: LiveCollection) -> bool:
        """Build what is unindexed; False when there was nothing to do. Queries go on, and so do writes but for the copy."""
        return await self._work(live, ("--optimize",))

    async def index(self, live: LiveCollection, key: str, kind: PayloadIndexKind) -> None:
        """Make a payload index, as `build` makes the others. Waits for a build that runs."""
        await self._work(live, ("--index", key, kind))

    async def _work(self, live: LiveCollection, work: tuple[str, ...]) -> bool:
        async with self._turn:
            live.require_open()
            live.built.clear()
            target = live.folder.following()
            try:
                return await self._on_copy(live, target, work)
            finally:
                live.built.set()
                live.end_changes()
                if target != live.folder.current():
                    await asyncio.to_thread(remove, target)

    async def copy(self, live: LiveCollection, target: Path) -> None:
        """Copy the shard as it is now into `target`, which must not exist; writes wait meanwhile."""
        async with self._turn, self._builder(live, target) as builder, live.no_writes():
            live.flush()
            await _step(builder)

    async def copy_folder(self, source: Path, target: Path, schema: Path) -> None:
        """Copy a shard folder that nobody has open."""
        async with self._turn, self._spawned(source, target, schema) as builder:
            await _step(builder)

    def close(self) -> None:
        """End the builder that runs and start none; what waits for one gets EngineUnavailable."""
        self._closed = True
        self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def abandon(self, live: LiveCollection) -> None:
        """Return when no build of `live`, which is dropped, runs."""
        if live.building:
            self._kill()
            await live.built.wait()

    async def _on_copy(self, live: LiveCollection, target: Path, work: tuple[str, ...]) -> bool:
        began = monotonic()
        async with self._builder(live, target, work) as builder:
            async with live.no_writes():
                copying = monotonic()
                live.flush()
                await _step(builder)
                live.begin_changes()
                copy_s = monotonic() - copying
            report = await _hear(builder)
        live.require_open()
        if not report.changed:
            live.unindexed = live.removed = 0
            return False
        swap_s, replayed = await self._swap(live, target, optimized="--optimize" in work)
        self.times[live.name] = BuildTimes(monotonic() - began, copy_s, swap_s, replayed)
        return True

    async def _swap(self, live: LiveCollection, target: Path, *, optimized: bool) -> tuple[float, int]:
        loading = monotonic()
        shard = open_shard(str(target), live.schema)
        pause_s = monotonic() - loading
        former, former_folder = live.shard, live.folder.current()
        try:
            replayed = await _replay(live, shard, live.changes)
            async with live.no_writes():
                replayed += await _replay(live, shard, live.changes)
                shard.flush()
                try:
                    await asyncio.to_thread(live.folder.switch, target)
                finally:  # whatever came of it, what CURRENT names is what serves
                    if live.folder.current() == target:
                        live.adopt(shard, unindexed=replayed if optimized else None)
        finally:
            (former if live.shard is shard else shard).close()
        await asyncio.to_thread(shutil.rmtree, former_folder, ignore_errors=True)
        return pause_s, replayed

    @asynccontextmanager
    async def _builder(
        self, live: LiveCollection, target: Path, work: tuple[str, ...] = ()
    ) -> AsyncGenerator[Process, None]:
        source = live.folder.current()
        self._folder.require_space(blocks_bytes(source) * (3 if work else 1))
        async with self._spawned(source, target, live.folder.path / "schema.json", work) as builder:
            yield builder

    @asynccontextmanager
    async def _spawned(
        self, source: Path, target: Path, schema: Path, work: tuple[str, ...] = ()
    ) -> AsyncGenerator[Process, None]:
        if self._closed:
            raise EngineUnavailable("the engine is ending; try again", retry_after_s=5.0)
        folders = map(str, (source, target, schema))
        command = [sys.executable, "-m", "vectis.adapters.edge.builder", *work, "--", *folders]
        self._process = process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        try:
            await _hear(process)
            yield process
        finally:
            self._process = None
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _replay(live: LiveCollection, target: qe.EdgeShard, points: int) -> int:
    """Bring `target` up to date by `points` changes; gives how many it were. Queries go between."""
    live.replay_indexes(target)
    replayed = 0
    while replayed < points and (ids := live.take_changes(SLICE_POINTS)):
        live.replay(ids, target)
        replayed += len(ids)
        await asyncio.sleep(0)  # queries go between
    return replayed


async def _step(process: Process) -> BuilderReport:
    """Let the builder go on, and hear what came of it."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    return await _hear(process)


async def _hear(process: Process) -> BuilderReport:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise EngineUnavailable(
            f"the builder ended with status {await process.wait()}; the collection is as before, try again",
            retry_after_s=5.0,
        )
    report = msgspec.json.decode(line, type=BuilderReport)
    if report.disk_full:
        raise DiskFull(f"build: {report.error}; the collection is as before, make room and repeat")
    if report.error is not None:
        raise EngineUnavailable(f"build: {report.error}; the collection is as before", retry_after_s=5.0)
    return report
