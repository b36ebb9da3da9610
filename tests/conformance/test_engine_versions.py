"""The engine process counts every write before it acknowledges it, and nothing else."""

from pathlib import Path

from engine_process import EngineProcess

from vectis.adapters.edge.client import EdgeEngine
from vectis.adapters.edge.versions import SharedVersions
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.points import Point, dense
from vectis.domain.queries import EngineQuery, Nearest
from vectis.domain.schema import CollectionSchema, DenseParams, PayloadIndexKind

SCHEMA = CollectionSchema(dense={"rgb": DenseParams(size=3)}, quantization=None)


def points(count: int) -> list[Point]:
    return [Point(n, {"rgb": dense([1.0, n, 0.5])}, {"number": n}) for n in range(1, count + 1)]


async def test_every_write_makes_another_mark_before_it_is_acknowledged(tmp_path: Path) -> None:
    socket, image = tmp_path / "e.sock", tmp_path / "image"
    process = EngineProcess(tmp_path / "engine", socket)
    await process.start()
    versions = SharedVersions(socket.with_suffix(".versions"))
    seven = Filter(must=[Condition(key="number", match=Match(value=7))])
    async with EdgeEngine(socket) as engine:
        writes = (
            lambda: engine.create("docs", SCHEMA),
            lambda: engine.upsert("docs", points(300)),
            lambda: engine.upsert("docs", points(1)),
            lambda: engine.delete("docs", [3]),
            lambda: engine.delete_matching("docs", seven),
            lambda: engine.create_payload_index("docs", "number", PayloadIndexKind.INTEGER),
        )
        marks = [versions.collection("docs")]
        for write in writes:
            await write()
            marks.append(versions.collection("docs"))
        assert len(set(marks)) == len(marks)
        standing, other = versions.collection("docs"), versions.collection("other")
        await engine.query("docs", EngineQuery((Nearest(dense([1.0, 0.0, 0.0]), "rgb", 3),), limit=3))
        await engine.count("docs")
        await engine.optimize("docs")
        await engine.snapshot("docs", image)
        assert versions.collection("docs") == standing
        await engine.drop("docs")
        dropped = versions.collection("docs")
        await engine.restore("docs", image)
        assert len({standing, dropped, versions.collection("docs")}) == 3
        assert versions.collection("other") == other
        standing = versions.collection("docs")
    await process.stop()
    await process.start()
    assert versions.collection("docs") != standing
    await process.stop()
