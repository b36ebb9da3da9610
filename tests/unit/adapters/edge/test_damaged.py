"""A collection whose files are damaged stands alone with it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from engine_process import EngineProcess

from vectis.adapters.edge.client import EdgeEngine
from vectis.domain.errors import EngineUnavailable
from vectis.domain.points import Point, dense
from vectis.domain.schema import CollectionSchema, DenseParams

SCHEMA = CollectionSchema(dense={"dense": DenseParams(size=2)})


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="vectis-") as folder:  # the path of a Unix socket is at most 107 bytes long
        yield Path(folder)


async def test_it_says_so_itself_and_can_be_dropped_while_others_go_on(short_folder: Path) -> None:
    data, socket = short_folder / "data", short_folder / "e.sock"
    async with EngineProcess(data, socket), EdgeEngine(socket) as engine:
        for name in ("good", "bad"):
            await engine.create(name, SCHEMA)
            await engine.upsert(name, [Point(1, {"dense": dense([1.0, 0.0])}, {})])
    for state in (data / "collections" / "bad").rglob("segment.json"):
        state.write_bytes(b"no state")
    async with EngineProcess(data, socket), EdgeEngine(socket) as engine:
        assert (await engine.describe("good")).trouble is None
        described = await engine.describe("bad")
        assert described.points == 0
        assert "cannot be opened" in str(described.trouble)
        with pytest.raises(EngineUnavailable, match="its files are damaged"):
            await engine.count("bad")
        assert await engine.count("good") == 1
        assert await engine.troubles() == ["1 collections cannot be opened; their descriptions say why"]
        await engine.drop("bad")
        assert await engine.troubles() == []
