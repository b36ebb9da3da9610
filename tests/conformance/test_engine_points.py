"""PointWriter and the plain reads of PointReader on every engine: upsert, delete, retrieve, scroll, count."""

import asyncio

import pytest
from engine_suite import SCHEMA, SMALL, UUID_A, UUID_B, corpus, filter_of, nearest, one, plain, vector

from vectis.domain.errors import InvalidInput, InvalidVector, WrongDimension
from vectis.domain.filters import Filter
from vectis.domain.points import Point, PointId, SparseVector
from vectis.domain.ports.engine import Engine
from vectis.domain.schema import CollectionSchema, SparseParams

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("tidy")]


async def ids(engine: Engine, name: str, filter: Filter | None = None) -> list[PointId]:
    return [record.id for record in (await engine.scroll(name, limit=10_000, filter=filter)).points]


async def test_upsert_and_read_back(engine: Engine, unique: str) -> None:
    await engine.create(unique, SCHEMA)
    payload = {
        "text": "a",
        "n": 1,
        "x": 0.5,
        "on": True,
        "off": None,
        "list": [1, "b", None],
        "deep": {"er": [{"k": 1}]},
    }
    vectors = {"dot": vector(1, 2, 3, 4), "sparse": SparseVector([3, 70000], [0.5, 2.0])}
    await engine.upsert(unique, [Point(1, vectors, payload)])
    (record,) = await engine.retrieve(unique, [1], with_vectors=True)
    assert record.payload == payload
    assert record.vectors == vectors


async def test_upsert_replaces_the_whole_point(engine: Engine, unique: str) -> None:
    await engine.create(unique, SCHEMA)
    before = {"dot": vector(1, 0, 0, 0), "euclid": vector(1, 1, 1, 1), "sparse": SparseVector([1], [1.0])}
    await engine.upsert(unique, [Point(1, before, {"old": 1, "both": 1})])
    await engine.upsert(unique, [Point(1, {"dot": vector(0, 1, 0, 0)}, {"both": 2})])
    (record,) = await engine.retrieve(unique, [1], with_vectors=True)
    assert record.payload == {"both": 2}
    assert record.vectors == {"dot": vector(0, 1, 0, 0)}
    assert await engine.count(unique) == 1
    assert await engine.query(unique, one(nearest([1, 1, 1, 1], "euclid"))) == []


async def test_upsert_is_in_order_and_repeatable(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    points = [plain(1, 1, 0, turn=1), plain(2, 0, 1), plain(1, 0, 1, turn=2)]
    for _ in range(2):
        await engine.upsert(unique, points)
    (record,) = await engine.retrieve(unique, [1], with_vectors=True)
    assert (record.payload, record.vectors) == ({"turn": 2}, {"dense": vector(0, 1)})
    assert await engine.count(unique) == 2


async def test_points_without_vectors_or_payload(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [Point(1, {}, {"n": 1}), Point(2, {"dense": vector(1, 0)})])
    records = await engine.retrieve(unique, [1, 2], with_vectors=True)
    assert [(r.payload, r.vectors) for r in records] == [({"n": 1}, {}), ({}, {"dense": vector(1, 0)})]
    assert [p.id for p in await engine.query(unique, one(nearest([1, 0])))] == [2]


async def test_cosine_vectors_come_back_normalised(engine: Engine, unique: str) -> None:
    await engine.create(unique, SCHEMA)
    await engine.upsert(unique, [Point(1, {"dense": vector(3, 4, 0, 0, 0, 0, 0, 0), "dot": vector(3, 4, 0, 0)})])
    (record,) = await engine.retrieve(unique, [1], with_vectors=True)
    assert record.vectors is not None
    assert list(record.vectors["dense"]) == pytest.approx([0.6, 0.8, 0, 0, 0, 0, 0, 0])
    assert record.vectors["dot"] == vector(3, 4, 0, 0)


async def test_a_collection_of_sparse_vectors_alone(engine: Engine, unique: str) -> None:
    await engine.create(unique, CollectionSchema(sparse={"terms": SparseParams()}, quantization=None))
    await engine.upsert(unique, [Point(1, {"terms": SparseVector([5], [1.0])}, {"n": 1})])
    assert await ids(engine, unique) == [1]


async def test_unicode_payloads_and_large_ids(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    payload = {"größe": "Ünïcode ✓ 日本語 🙂", "a\u0000b": "zero", "": "empty key", "q": '"\\\n\t'}
    largest = 2**64 - 1
    await engine.upsert(unique, [plain(largest, 1, 0, **payload), plain(0, 1, 0, kanji="検索")])
    records = await engine.retrieve(unique, [largest, 0])
    assert [(r.id, r.payload) for r in records] == [(largest, payload), (0, {"kanji": "検索"})]
    assert await ids(engine, unique, filter_of({"must": [{"key": "kanji", "match": {"value": "検索"}}]})) == [0]
    assert await ids(engine, unique, filter_of({"must": [{"key": "größe", "match": {"text": "ünïcode 日本語"}}]})) == [
        largest
    ]


async def test_integer_and_uuid_ids(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, 1, 0) for i in (UUID_B, 10, UUID_A.upper(), 9)])
    assert await ids(engine, unique) == [9, 10, UUID_A, UUID_B]
    assert [r.id for r in await engine.retrieve(unique, [UUID_A, 10, UUID_B.upper()])] == [UUID_A, 10, UUID_B]
    assert {p.id for p in await engine.query(unique, one(nearest([1, 0])))} == {9, 10, UUID_A, UUID_B}
    await engine.delete(unique, [UUID_A, 9])
    assert await ids(engine, unique) == [10, UUID_B]


@pytest.mark.parametrize("bad", ["not-a-uuid", "", -1, 2**64])
async def test_ids_that_no_engine_takes(engine: Engine, unique: str, bad: PointId) -> None:
    await engine.create(unique, SMALL)
    with pytest.raises(InvalidInput):
        await engine.upsert(unique, [plain(bad, 1, 0)])
    assert await engine.count(unique) == 0


async def test_delete_is_idempotent(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, 1, 0) for i in range(5)])
    for _ in range(2):
        await engine.delete(unique, [1, 3, 99, UUID_A])
    await engine.delete(unique, [])
    assert await ids(engine, unique) == [0, 2, 4]


async def test_delete_matching(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, 1, 0, n=i) for i in range(10)])
    await engine.delete_matching(unique, filter_of({"must": [{"key": "n", "range": {"gte": 3, "lt": 8}}]}))
    assert await ids(engine, unique) == [0, 1, 2, 8, 9]
    await engine.delete_matching(unique, filter_of({"must": [{"key": "n", "match": {"value": 77}}]}))
    assert await engine.count(unique) == 5
    await engine.delete_matching(unique, Filter())
    assert await engine.count(unique) == 0


async def test_a_deleted_point_can_come_back(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(1, 1, 0, turn=1)])
    await engine.delete(unique, [1])
    await engine.upsert(unique, [plain(1, 0, 1, turn=2)])
    assert [r.payload for r in await engine.retrieve(unique, [1])] == [{"turn": 2}]


@pytest.mark.parametrize(
    ("vectors", "error"),
    [
        ({"dense": vector(1, 2)}, WrongDimension),
        ({"dense": vector(*range(9))}, WrongDimension),
        ({"nope": vector(1, 2)}, InvalidVector),
        ({"nope": SparseVector([1], [1.0])}, InvalidVector),
        ({"sparse": vector(1, 2)}, InvalidVector),
        ({"dense": SparseVector([1], [1.0])}, InvalidVector),
        ({"sparse": SparseVector([1, 2], [1.0])}, InvalidVector),
        ({"sparse": SparseVector([1, 1], [1.0, 2.0])}, InvalidVector),
    ],
    ids=[
        "short",
        "long",
        "unknown dense",
        "unknown sparse",
        "dense as sparse",
        "sparse as dense",
        "lengths",
        "repeated",
    ],
)
async def test_vectors_that_do_not_fit_are_refused(engine: Engine, unique: str, vectors, error) -> None:
    await engine.create(unique, SCHEMA)
    with pytest.raises(error):
        await engine.upsert(unique, [Point(1, vectors)])
    assert await engine.count(unique) == 0


async def test_retrieve_keeps_the_order_asked_for(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, 1, 0, n=i) for i in range(10)])
    records = await engine.retrieve(unique, [7, 99, 2, UUID_A, 5])
    assert [(r.id, r.payload, r.vectors) for r in records] == [(i, {"n": i}, None) for i in (7, 2, 5)]
    assert [r.payload for r in await engine.retrieve(unique, [7, 2], with_payload=False)] == [None, None]


async def test_selectors(engine: Engine, unique: str) -> None:
    await engine.create(unique, SCHEMA)
    payload = {"a": 1, "b": {"c": 2, "d": [3]}, "list": [{"x": 1, "y": 2}, {"x": 3}], "plain": [1, 2]}
    await engine.upsert(unique, [Point(1, {"dot": vector(1, 0, 0, 0), "sparse": SparseVector([1], [1.0])}, payload)])

    async def chosen(keys: list[str]) -> object:
        (by_id,) = await engine.retrieve(unique, [1], with_payload=keys)
        (by_scroll,) = (await engine.scroll(unique, limit=1, with_payload=keys)).points
        (by_query,) = await engine.query(unique, one(nearest([1, 0, 0, 0], "dot"), with_payload=keys))
        assert by_id.payload == by_scroll.payload == by_query.payload
        return by_id.payload

    assert await chosen(["a", "absent"]) == {"a": 1}
    assert await chosen(["b.c", "plain"]) == {"b": {"c": 2}, "plain": [1, 2]}
    assert await chosen(["b"]) == {"b": {"c": 2, "d": [3]}}
    assert await chosen(["list[].x"]) == {"list": [{"x": 1}, {"x": 3}]}
    assert await chosen(["absent"]) == {}
    (record,) = await engine.retrieve(unique, [1], with_vectors=["sparse"])
    assert record.vectors == {"sparse": SparseVector([1], [1.0])}
    (record,) = await engine.retrieve(unique, [1], with_vectors=["euclid"])
    assert record.vectors == {}


async def test_scroll_pages_through_everything_once(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    everything: list[PointId] = [*range(1, 24), UUID_A, UUID_B]
    await engine.upsert(unique, [plain(i, 1, 0) for i in reversed(everything)])
    seen: list[PointId] = []
    offset: PointId | None = None
    pages = 0
    while pages == 0 or offset is not None:
        page = await engine.scroll(unique, limit=5, offset=offset)
        seen += [record.id for record in page.points]
        offset, pages = page.next_offset, pages + 1
    assert seen == everything
    assert pages == 5


async def test_scroll_with_filter_offset_and_gaps(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, 1, 0, even=i % 2 == 0) for i in range(20)])
    even = filter_of({"must": [{"key": "even", "match": {"value": True}}]})
    page = await engine.scroll(unique, limit=4, offset=5, filter=even)
    assert ([r.id for r in page.points], page.next_offset) == ([6, 8, 10, 12], 14)
    page = await engine.scroll(unique, limit=4, offset=14, filter=even)
    assert ([r.id for r in page.points], page.next_offset) == ([14, 16, 18], None)
    assert (await engine.scroll(unique, limit=4, offset=20)).points == []


async def test_count(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, 1, 0, n=i % 3) for i in range(10)])
    assert await engine.count(unique) == 10
    assert await engine.count(unique, Filter()) == 10
    assert await engine.count(unique, filter_of({"must": [{"key": "n", "match": {"value": 0}}]})) == 4
    assert await engine.count(unique, filter_of({"must": [{"key": "n", "match": {"value": 9}}]})) == 0


async def test_batches_of_a_thousand(engine: Engine, unique: str) -> None:
    await engine.create(unique, SCHEMA)
    points = corpus(3000)
    for start in range(0, 3000, 1000):
        await engine.upsert(unique, points[start : start + 1000])
    assert await engine.count(unique) == 3000
    page = await engine.scroll(unique, limit=3000, with_vectors=["dot"])
    assert [r.id for r in page.points] == list(range(1, 3001))
    assert page.next_offset is None
    assert page.points[1234].vectors == {"dot": points[1234].vectors["dot"]}
    assert page.points[2999].payload == points[2999].payload


async def test_concurrent_writers(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)

    async def write(writer: int) -> None:
        for batch in range(5):
            own = [plain(writer * 1000 + batch * 20 + i, writer, batch, writer=writer) for i in range(20)]
            await engine.upsert(unique, [*own, plain(0, writer, batch, writer=writer, batch=batch)])
            assert len(await engine.retrieve(unique, [point.id for point in own])) == 20

    await asyncio.gather(*(write(writer) for writer in range(1, 9)))
    assert await engine.count(unique) == 8 * 5 * 20 + 1
    (shared,) = await engine.retrieve(unique, [0], with_vectors=True)
    assert shared.payload is not None
    assert shared.vectors == {"dense": vector(shared.payload["writer"], shared.payload["batch"])}
