"""Who holds the data folder, and how the engine process ends."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from engine_process import EngineProcess, argv

from vectis.adapters.edge.client import EdgeEngine
from vectis.domain.errors import DataFolderInUse, InvalidSetting
from vectis.domain.points import Point, dense
from vectis.domain.schema import CollectionSchema, DenseParams

SCHEMA = CollectionSchema(dense={"dense": DenseParams(size=2)})


@contextmanager
def engine_process(folder: Path, parent_fd: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    kept = () if parent_fd is None else (parent_fd,)
    command = argv(folder, folder / "e.sock", parent_fd)
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=kept) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == {
                "ready": True, "pid": process.pid, "socket": str(folder / "e.sock"),
            }  # fmt: skip
            yield process
        finally:
            process.kill()


async def test_second_opener_learns_who_holds_the_folder(short_folder: Path) -> None:
    async with (
        EngineProcess(short_folder, short_folder / "a.sock") as first,
        EdgeEngine(short_folder / "a.sock") as engine,
    ):
        with pytest.raises(DataFolderInUse, match=f"process {first.pid} ") as raised:
            await EngineProcess(short_folder, short_folder / "b.sock").start()
        assert raised.value.fields["pid"] == first.pid
        assert await engine.names() == []


async def test_the_next_waits_for_one_that_ends(short_folder: Path) -> None:
    first = EngineProcess(short_folder, short_folder / "e.sock")
    await first.start()
    os.kill(first.pid, signal.SIGTERM)
    async with EngineProcess(short_folder, short_folder / "e.sock"), EdgeEngine(short_folder / "e.sock") as engine:
        assert await engine.names() == []
    assert await first.stop() == 0


def test_ends_with_its_starter(short_folder: Path) -> None:
    reading, writing = os.pipe()
    with engine_process(short_folder, reading) as process:
        os.close(reading)
        assert process.poll() is None
        os.close(writing)
        assert process.wait(20) == 0
        assert not (short_folder / "e.sock").exists()


def test_ends_in_order_on_sigterm(short_folder: Path) -> None:
    with engine_process(short_folder) as process:
        process.terminate()
        assert process.wait(20) == 0


async def test_leftovers_of_a_killed_process_go(short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    async with EngineProcess(short_folder, socket), EdgeEngine(socket) as engine:
        await engine.create("c", SCHEMA)
        await engine.upsert("c", [Point(1, {"dense": dense([1.0, 2.0])}, {"a": 1})])
    collections = short_folder / "collections"
    leftovers = [collections / ".d.new" / "g000001", collections / ".e.gone", collections / "c" / "g000002"]
    for leftover in leftovers:
        leftover.mkdir(parents=True)
        (leftover / "part").write_bytes(b"unfinished")
    (collections / "c" / ".CURRENT.tmp").write_bytes(b"g00")
    async with EngineProcess(short_folder, socket), EdgeEngine(socket) as engine:
        assert await engine.names() == ["c"]
        assert [record.payload for record in await engine.retrieve("c", [1])] == [{"a": 1}]
        assert not any(leftover.exists() for leftover in leftovers)
        assert not (collections / "c" / ".CURRENT.tmp").exists()


async def test_socket_path_that_is_too_long(short_folder: Path) -> None:
    socket = short_folder / ("s" * 100)
    with pytest.raises(InvalidSetting, match="shorter"):
        EdgeEngine(socket)
    with pytest.raises(InvalidSetting, match="shorter"):
        await EngineProcess(short_folder, socket).start()


async def test_no_process_remains(short_folder: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    async with EngineProcess(short_folder, short_folder / "e.sock"), EdgeEngine(short_folder / "e.sock") as engine:
        await engine.create("c", SCHEMA)
        await engine.optimize("c")
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
