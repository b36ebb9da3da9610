"""Points over the memory engine: nothing is written unless everything fits."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from passes import reads, writes

from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.engine import MemoryEngine
from vectis.adapters.memory.versions import MemoryVersions
from vectis.adapters.sql.store import open_store
from vectis.catalog.profiles import Wishes, tailored, vectors_profile
from vectis.domain.collections import Collection
from vectis.domain.errors import InvalidInput, InvalidVector, LimitExceeded, PointNotFound, TooLarge, WrongDimension
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.points import Point, SparseVector, dense
from vectis.domain.schema import DenseParams, SparseParams
from vectis.points.service import PointLimits, PointService


@pytest.fixture
async def points() -> AsyncIterator[PointService]:
    store, engine = await open_store("sqlite:///:memory:"), MemoryEngine()
    wishes = Wishes(dense={"dense": DenseParams(size=2)}, sparse={"sparse": SparseParams()}, quantization=None)
    collection = Collection("c", tailored(vectors_profile(), wishes), datetime(2026, 1, 1, tzinfo=UTC))
    await store.add_collection(collection)
    await engine.create("c", collection.profile.schema)
    directory = CachedDirectory(store, ManualClock(collection.created_at), MemoryVersions())
    yield PointService(
        directory=directory, engine=engine, limits=PointLimits(points_max=3, payload_bytes_max=100, page_max=5)
    )
    await store.close()


def point(id: int, **payload: object) -> Point:
    return Point(id, {"dense": dense([1.0, 2.0])}, dict(payload))


async def test_upsert_read_delete(points: PointService) -> None:
    assert await points.upsert(writes("c"), [point(1, a=1), point(2)]) == 2
    assert (await points.get(reads("c"), 1)).payload == {"a": 1}
    await points.delete(writes("c"), [1])
    with pytest.raises(PointNotFound):
        await points.get(reads("c"), 1)
    await points.delete_matching(writes("c"), Filter(must_not=[Condition(key="a", match=Match(value=1))]))
    assert await points.count(reads("c"), None) == 0


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Point(2, {"dense": dense([1.0])}), WrongDimension),
        (Point(2, {"other": dense([1.0, 2.0])}), InvalidVector),
        (Point(2, {"sparse": SparseVector([1, 1], [1.0, 1.0])}), InvalidVector),
        (Point(2, {"sparse": SparseVector([1], [float("inf")])}), InvalidVector),
        (Point(2, {"sparse": SparseVector([2**32], [1.0])}), InvalidVector),
        (Point("not a uuid", {"dense": dense([1.0, 2.0])}), InvalidInput),
        (Point(2**64, {"dense": dense([1.0, 2.0])}), InvalidInput),
        (point(2, text="x" * 200), TooLarge),
    ],
)
async def test_one_bad_point_and_nothing_is_written(points: PointService, bad: Point, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"points\[1\]"):
        await points.upsert(writes("c"), [point(1), bad])
    assert await points.count(reads("c"), None) == 0


async def test_counts_are_bounded(points: PointService) -> None:
    with pytest.raises(LimitExceeded, match="maximum is 3"):
        await points.upsert(writes("c"), [point(i) for i in range(4)])
    with pytest.raises(LimitExceeded):
        await points.scroll(reads("c"), limit=6, offset=None, filter=None, with_payload=True, with_vectors=False)


async def test_an_empty_filter_deletes_nothing(points: PointService) -> None:
    await points.upsert(writes("c"), [point(1)])
    with pytest.raises(InvalidInput, match="every point"):
        await points.delete_matching(writes("c"), Filter())
    assert await points.count(reads("c"), None) == 1
