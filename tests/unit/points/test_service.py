"""Points over the memory engine: nothing is written unless everything fits."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import reduce

import msgspec
import pytest
from msgspec.structs import replace
from passes import reads, writes

from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.engine import MemoryEngine
from vectis.adapters.memory.versions import MemoryVersions
from vectis.adapters.sql.store import open_store
from vectis.catalog.profiles import Wishes, tailored, vectors_profile
from vectis.domain.collections import Collection
from vectis.domain.divergences import Divergences
from vectis.domain.errors import InvalidInput, InvalidVector, LimitExceeded, PointNotFound, TooLarge, WrongDimension
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.points import Point, SparseVector, dense
from vectis.domain.routes import RoutePlan, Target
from vectis.domain.schema import DenseParams, SparseParams
from vectis.points.service import PointLimits, PointService


@pytest.fixture
async def points() -> AsyncIterator[PointService]:
    store, engine = await open_store("sqlite:///:memory:"), MemoryEngine()
    wishes = Wishes(dense={"dense": DenseParams(size=2)}, sparse={"sparse": SparseParams()}, quantization=None)
    collection = Collection("c", tailored(vectors_profile(), wishes), datetime(2026, 1, 1, tzinfo=UTC))
    await store.add_collection(collection)
    await engine.create("c", collection.profile.schema)
    clock = ManualClock(collection.created_at)
    for name, size in (("follower", 2), ("other-size", 3)):
        profile = tailored(vectors_profile(), replace(wishes, dense={"dense": DenseParams(size=size)}))
        await store.add_collection(replace(collection, name=name, profile=profile))
        await engine.create(name, profile.schema)
    directory = CachedDirectory(store, clock, MemoryVersions())
    yield PointService(
        directory=directory,
        engine=engine,
        divergences=Divergences(store, clock),
        limits=PointLimits(points_max=3, payload_bytes_max=100, page_max=5),
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


async def test_a_write_goes_to_the_companions_too_whichever_of_them_is_named(points: PointService) -> None:
    halves = (Target("c", weight_percent=90), Target("follower", "candidate", 10))
    await points._divergences._store.set_route("docs", RoutePlan(halves))
    for name, id in (("docs", 1), ("c", 2), ("follower", 3)):
        await points.upsert(writes(name), [point(id)])
    await points.delete(writes("docs"), [2])
    await points.delete_matching(writes("c"), Filter(must=[Condition(key="gone", match=Match(value=True))]))
    for name in ("c", "follower"):
        assert [
            r.id
            for r in (
                await points.scroll(
                    reads(name), limit=5, offset=None, filter=None, with_payload=False, with_vectors=False
                )
            ).points
        ] == [1, 3]


async def test_a_follower_that_cannot_take_a_write_diverges_and_the_write_stands(points: PointService) -> None:
    store = points._divergences._store
    await store.set_route("docs", RoutePlan((Target("c"),), followers=("other-size",)))
    await points.upsert(writes("docs"), [point(1)])
    assert await points.count(reads("docs"), None) == 1
    missed = await store.divergence("other-size")
    assert (missed.missed, missed.reason.split(":")[0]) == (1, "wrong_dimension")
    with pytest.raises(WrongDimension):
        await points.upsert(writes("docs"), [Point(2, {"dense": dense([1.0])})])
    assert (await store.divergence("other-size")).missed == 1


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (reduce(lambda below, _: [below], range(40), 1), "32 deep"),
        (reduce(lambda below, _: {"a": below}, range(40), 1), "32 deep"),
        (float("nan"), "not a finite number"),
        (2**64, "beyond 64 bits"),
        (b"\xff", "no JSON value"),
        (datetime(2026, 1, 1, tzinfo=UTC), "no JSON value"),
        (msgspec.msgpack.Ext(5, b"abc"), "no JSON value"),
        ("\x00", "NUL"),
    ],
)
async def test_a_payload_that_could_not_be_read_again_is_refused(
    points: PointService, value: object, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        await points.upsert(writes("c"), [point(1), point(2, key=value)])
    assert str(refused.value.fields["field"]).startswith("points[1].payload.key")
    assert await points.count(reads("c"), None) == 0
