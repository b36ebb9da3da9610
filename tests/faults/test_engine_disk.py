"""A disk that fills up: what was acknowledged stays, what is refused leaves nothing behind."""

import asyncio
import os
import subprocess
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_process import EngineProcess

from vectis.adapters.edge.client import EdgeEngine
from vectis.adapters.edge.layout import DISK_FLOOR_BYTES
from vectis.domain.errors import DiskFull
from vectis.domain.points import Point
from vectis.domain.schema import CollectionSchema, DenseParams, OptimizerParams

BATCH = 200
SCHEMA = CollectionSchema(
    dense={"dense": DenseParams(size=384)}, optimizers=OptimizerParams(indexing_threshold=10_000_000)
)


@pytest.fixture
def small_disk(short_folder: Path) -> Iterator[Path]:
    """A file system of 150 MiB."""
    disk = short_folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=150m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only a user who may mount can have a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


def points(at: int) -> list[Point]:
    return [
        Point(n, {"dense": array("f", [float(n * j % 97) for j in range(1, 385)])}, {}) for n in range(at, at + BATCH)
    ]


async def test_full_disk(small_disk: Path, short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    async with EngineProcess(small_disk / "data", socket), EdgeEngine(socket) as engine:
        await engine.create("c", SCHEMA)
        written = await fill(engine)
        assert written > BATCH
        assert await engine.count("c") == written
        for refused in (engine.optimize("c"), engine.snapshot("c", small_disk / "image")):
            with pytest.raises(DiskFull, match="make room"):
                await refused
        assert await engine.names() == ["c"]
        assert os.listdir(small_disk) == ["data"]
        await engine.drop("c")
        await engine.create("d", SCHEMA)
        await engine.upsert("d", points(0))
    async with EngineProcess(small_disk / "data", socket), EdgeEngine(socket) as engine:
        assert await engine.names() == ["d"]
        assert await engine.count("d") == BATCH


async def test_a_build_that_is_due_waits_for_room_and_says_so(small_disk: Path, short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    eager = CollectionSchema(dense=SCHEMA.dense, optimizers=OptimizerParams(indexing_threshold=100))
    ballast = small_disk / "ballast"
    async with EngineProcess(small_disk / "data", socket), EdgeEngine(socket) as engine:
        await engine.create("c", SCHEMA)
        await engine.create("eager", eager)
        await engine.create("other", SCHEMA)
        assert await engine.troubles() == []
        await engine.upsert("eager", points(0))
        with ballast.open("wb") as file:
            while os.statvfs(small_disk).f_bavail * 4096 > DISK_FLOOR_BYTES + (8 << 20):
                file.write(bytes(1 << 20))
                file.flush()
        async with asyncio.timeout(30):
            while (await engine.describe("eager")).trouble is None:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.1)
        assert "make room" in ((await engine.describe("eager")).trouble or "")
        nearly_full, failing = await engine.troubles()
        assert "writes are refused" in nearly_full
        assert "1 collections need a build" in failing
        ballast.unlink()
        async with asyncio.timeout(90):
            while (await engine.describe("eager")).indexed_vectors < BATCH:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            while await engine.troubles():  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.1)
        assert (await engine.describe("eager")).trouble is None


async def test_collections_that_a_full_disk_keeps_closed_are_told(small_disk: Path, short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    ballast = small_disk / "ballast"
    async with EngineProcess(small_disk / "data", socket), EdgeEngine(socket) as engine:
        await engine.create("c", SCHEMA)
    async with EngineProcess(small_disk / "data", socket), EdgeEngine(socket) as engine:
        ballast.write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - DISK_FLOOR_BYTES // 2))
        for refused in (engine.count("c"), engine.troubles()):
            with pytest.raises(DiskFull):
                await refused
        ballast.unlink()
        assert await engine.count("c") == 0
        ballast.write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - DISK_FLOOR_BYTES // 2))
        assert await engine.troubles() == ["the disk is full, so writes are refused"]  # what is open goes on


async def fill(engine: EdgeEngine) -> int:
    """Write until the disk is full; how many points were acknowledged."""
    written = 0
    while True:
        try:
            await engine.upsert("c", points(written))
        except DiskFull as error:
            assert "make room" in error.message  # noqa: PT017 - many succeed before one is refused
            return written
        written += BATCH
