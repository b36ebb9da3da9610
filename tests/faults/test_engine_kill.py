"""SIGKILL of the engine process: nothing acknowledged is lost and clients go on, whatever was under way."""

import asyncio
import os
import signal
from array import array
from pathlib import Path
from random import Random

import psutil
import pytest
from engine_process import EngineProcess

from vectis.adapters.edge.client import EdgeEngine
from vectis.domain.errors import EngineUnavailable
from vectis.domain.points import Point
from vectis.domain.queries import EngineQuery, Nearest
from vectis.domain.schema import CollectionSchema, DenseParams, HnswParams, OptimizerParams

SIZE = 64
BATCH = 150
ROUNDS = 15

# Thresholds so small that a build, or the swap after one, is under way nearly always.
EAGER = CollectionSchema(
    dense={"dense": DenseParams(size=SIZE)},
    hnsw=HnswParams(ef_construct=32),
    optimizers=OptimizerParams(indexing_threshold=16, flush_interval_sec=1),
)


def vector(number: int) -> "array[float]":
    random = Random(number)
    return array("f", [random.gauss(0.0, 1.0) for _ in range(SIZE)])


def point(number: int, revision: int) -> Point:
    return Point(number, {"dense": vector(number)}, {"revision": revision})


async def kill(process: EngineProcess) -> None:
    os.kill(process.pid, signal.SIGKILL)
    await process.stop()


class Writer:
    """Upserts and deletes until stopped, and knows what was acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: dict[int, int | None] = {}
        self.unsure: set[int] = set()
        self._random = Random(3)
        self._revision = 0

    async def write(self, engine: EdgeEngine) -> None:
        while True:
            self._revision += 1
            numbers = self._random.sample(range(3000), BATCH)
            self.unsure.update(numbers)
            if self._revision % 5 == 0:
                await engine.delete("c", numbers)
                self.acknowledged.update(dict.fromkeys(numbers, None))
            else:
                await engine.upsert("c", [point(n, self._revision) for n in numbers])
                self.acknowledged.update(dict.fromkeys(numbers, self._revision))
            self.unsure.difference_update(numbers)

    async def verify(self, engine: EdgeEngine) -> None:
        """What was under way when a process died may be either until it is written again; all else is as acknowledged."""
        sure = sorted(set(self.acknowledged) - self.unsure)
        records = await engine.retrieve("c", sure, with_vectors=True)
        found = {record.id: record for record in records}
        for number in sure:
            revision = self.acknowledged[number]
            if revision is None:
                assert number not in found
            else:
                record = found[number]
                assert record.payload == {"revision": revision}
                assert record.vectors is not None
                assert len(record.vectors["dense"]) == SIZE
        page = await engine.scroll("c", limit=10_000)
        assert len({record.id for record in page.points}) == len(page.points) == await engine.count("c")


async def test_nothing_acknowledged_is_lost(short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    random = Random(11)
    writer = Writer()
    builds = 0
    for lap in range(ROUNDS):
        process = EngineProcess(short_folder / "data", socket)
        await process.start()
        async with EdgeEngine(socket, timeout_s=20.0) as engine:
            if lap == 0:
                await engine.create("c", EAGER)
            await writer.verify(engine)
            writing = asyncio.create_task(writer.write(engine))
            await asyncio.sleep(random.uniform(0.2, 1.5))
            builds += (await engine.stats())["collections"]["c"]["building"]
            await kill(process)
            writing.cancel()
            with pytest.raises((asyncio.CancelledError, EngineUnavailable)):
                await writing
    assert builds, "no round ended within a build, so nothing was learned of the swap"
    async with EngineProcess(short_folder / "data", socket), EdgeEngine(socket) as engine:
        await writer.verify(engine)
        assert writer.acknowledged


async def test_builds_die_with_the_engine_process(short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    process = EngineProcess(short_folder / "data", socket)
    await process.start()
    async with EdgeEngine(socket) as engine:
        await engine.create("c", EAGER)
        await engine.upsert("c", [point(n, 1) for n in range(3000)])
        building = asyncio.create_task(engine.optimize("c"))
        children: list[psutil.Process] = []
        while not children:
            children = psutil.Process(process.pid).children()
            await asyncio.sleep(0.01)
        await kill(process)
        building.cancel()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


async def test_queries_go_on_with_the_next_process(short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    query = EngineQuery((Nearest(vector(5), "dense", 5),), 5)
    process = EngineProcess(short_folder / "data", socket)
    await process.start()
    async with EdgeEngine(socket, timeout_s=20.0) as engine:
        await engine.create("c", EAGER)
        await engine.upsert("c", [point(n, 1) for n in range(500)])
        expected = await engine.query("c", query)
        answers = 0

        async def ask() -> None:
            nonlocal answers
            while True:
                assert await engine.query("c", query) == expected
                answers += 1

        asking = [asyncio.create_task(ask()) for _ in range(16)]
        for _ in range(3):
            before = answers
            await kill(process)
            process = EngineProcess(short_folder / "data", socket)
            await process.start()
            async with asyncio.timeout(20):
                while answers < before + 200:
                    await asyncio.sleep(0.01)
                    assert not any(task.done() for task in asking)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    await process.stop()


async def test_without_a_next_process_calls_end_with_an_error(short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    process = EngineProcess(short_folder / "data", socket)
    await process.start()
    async with EdgeEngine(socket, timeout_s=0.5) as engine:
        await engine.create("c", EAGER)
        await kill(process)
        for call in (engine.count("c"), engine.upsert("c", [point(1, 1)]), engine.optimize("c")):
            with pytest.raises(EngineUnavailable) as raised:
                await asyncio.wait_for(call, 20)
            assert raised.value.retry_after_s > 0


async def test_a_process_that_hangs_is_noticed(short_folder: Path) -> None:
    socket = short_folder / "e.sock"
    async with EngineProcess(short_folder / "data", socket) as process, EdgeEngine(socket, timeout_s=1.5) as engine:
        await engine.create("c", EAGER)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            for call in (engine.count("c"), engine.optimize("c")):
                with pytest.raises(EngineUnavailable):
                    await asyncio.wait_for(call, 20)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        assert await engine.count("c") == 0
