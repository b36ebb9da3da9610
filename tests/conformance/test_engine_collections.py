"""CollectionAdmin on every engine: create, drop, names, describe, payload indexes, optimize, aliases, snapshots."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from engine_suite import KINDS, SCHEMA, SERVER_URL, SMALL, filter_of, nearest, needs, one, plain, vector

from vectis.domain.errors import CollectionExists, CollectionNotFound, Unsupported
from vectis.domain.filters import Filter
from vectis.domain.ports.engine import Engine
from vectis.domain.schema import (
    CollectionSchema,
    DenseParams,
    OptimizerParams,
    PayloadIndexKind,
    ScalarQuantization,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("tidy")]

UNKNOWN: dict[str, Callable[[Engine], Awaitable[object]]] = {
    "describe": lambda e: e.describe("absent"),
    "create_payload_index": lambda e: e.create_payload_index("absent", "k", PayloadIndexKind.KEYWORD),
    "optimize": lambda e: e.optimize("absent"),
    "upsert": lambda e: e.upsert("absent", [plain(1, 1, 0)]),
    "upsert nothing": lambda e: e.upsert("absent", []),
    "delete": lambda e: e.delete("absent", [1]),
    "delete nothing": lambda e: e.delete("absent", []),
    "delete_matching": lambda e: e.delete_matching("absent", Filter()),
    "query": lambda e: e.query("absent", one(nearest([1, 0]))),
    "query nothing": lambda e: e.query("absent", one(nearest([1, 0]), limit=0)),
    "query_batch": lambda e: e.query_batch("absent", [one(nearest([1, 0]))]),
    "retrieve": lambda e: e.retrieve("absent", [1]),
    "retrieve nothing": lambda e: e.retrieve("absent", []),
    "scroll": lambda e: e.scroll("absent", limit=1),
    "count": lambda e: e.count("absent"),
    "aliases": lambda e: e.apply_aliases({"nowhere": "absent"}),
}


async def test_every_kind_of_engine_is_here() -> None:
    if "qdrant-server" not in KINDS:
        pytest.skip(f"{SERVER_URL} is not set: nothing below ran against a Qdrant server")


async def test_create_describes_an_empty_collection(engine: Engine, unique: str) -> None:
    await engine.create(unique, SCHEMA)
    state = await engine.describe(unique)
    assert (state.points, state.indexed_vectors, state.payload_indexes) == (0, 0, {})
    assert unique in await engine.names()


async def test_an_empty_collection_answers_empty(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    assert await engine.query(unique, one(nearest([1, 0]))) == []
    assert (await engine.scroll(unique, limit=10)).points == []
    assert await engine.count(unique) == 0
    assert await engine.retrieve(unique, [1]) == []


async def test_create_twice_is_refused_and_changes_nothing(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(1, 1, 0)])
    with pytest.raises(CollectionExists):
        await engine.create(unique, SCHEMA)
    assert await engine.count(unique) == 1


async def test_drop(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(1, 1, 0)])
    assert await engine.drop(unique) is True
    assert await engine.drop(unique) is False
    assert unique not in await engine.names()
    await engine.create(unique, SMALL)
    assert await engine.count(unique) == 0


async def test_names_are_sorted(engine: Engine, unique: str) -> None:
    for suffix in ("b", "c", "a"):
        await engine.create(f"{unique}-{suffix}", SMALL)
    assert [name for name in await engine.names() if name.startswith(unique)] == [f"{unique}-{s}" for s in "abc"]


@pytest.mark.parametrize("call", UNKNOWN)
async def test_unknown_collection(engine: Engine, call: str) -> None:
    with pytest.raises(CollectionNotFound):
        await UNKNOWN[call](engine)


async def test_describe_counts_points(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, i, 1) for i in range(1, 6)])
    await engine.delete(unique, [2])
    assert (await engine.describe(unique)).points == 4


@pytest.mark.parametrize("when", ["at creation", "before points", "after points"])
async def test_payload_indexes_answer_alike(engine: Engine, unique: str, when: str) -> None:
    kinds = {
        "word": PayloadIndexKind.KEYWORD,
        "n": PayloadIndexKind.INTEGER,
        "x": PayloadIndexKind.FLOAT,
        "on": PayloadIndexKind.BOOL,
        "at": PayloadIndexKind.DATETIME,
        "place": PayloadIndexKind.GEO,
        "text": PayloadIndexKind.TEXT,
        "ref": PayloadIndexKind.UUID,
    }
    refs = [f"00000000-0000-4000-8000-00000000000{i}" for i in range(8)]
    points = [
        plain(
            i,
            i,
            1,
            word="ab"[i % 2],
            n=i,
            x=i / 2,
            on=i % 2 == 0,
            at=f"2024-01-0{i}T00:00:00Z",
            place={"lon": float(i), "lat": 0.0},
            text=f"the Quick fox number{i}",
            ref=refs[i],
        )
        for i in range(1, 8)
    ]
    schema = msgspec.structs.replace(SMALL, payload_indexes=kinds) if when == "at creation" else SMALL
    await engine.create(unique, schema)
    if when == "after points":
        await engine.upsert(unique, points)
    if when != "at creation":
        for key, kind in kinds.items():
            await engine.create_payload_index(unique, key, kind)
    if when != "after points":
        await engine.upsert(unique, points)

    async def matching(condition: dict[str, object]) -> list[object]:
        page = await engine.scroll(unique, limit=100, filter=filter_of({"must": [condition]}))
        return [record.id for record in page.points]

    assert await matching({"key": "word", "match": {"value": "a"}}) == [2, 4, 6]
    assert await matching({"key": "n", "match": {"any": [3, 5, 99]}}) == [3, 5]
    assert await matching({"key": "n", "range": {"gte": 6}}) == [6, 7]
    assert await matching({"key": "x", "range": {"lt": 1.2}}) == [1, 2]
    assert await matching({"key": "on", "match": {"value": True}}) == [2, 4, 6]
    assert await matching({"key": "on", "match": {"value": False}}) == [1, 3, 5, 7]
    assert await matching({"key": "at", "range": {"gt": "2024-01-06T00:00:00Z"}}) == [7]
    centre = {"center": {"lon": 3.0, "lat": 0.0}, "radius": 120_000.0}
    assert await matching({"key": "place", "geo_radius": centre}) == [2, 3, 4]
    assert await matching({"key": "text", "match": {"text": "quick number4"}}) == [4]
    assert await matching({"key": "ref", "match": {"value": refs[5]}}) == [5]
    assert await matching({"is_empty": {"key": "word"}}) == []
    needs(engine, "payload indexes")
    assert (await engine.describe(unique)).payload_indexes == kinds


async def test_creating_a_payload_index_again_is_no_error(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    for _ in range(2):
        await engine.create_payload_index(unique, "a.b", PayloadIndexKind.KEYWORD)
    needs(engine, "payload indexes")
    assert (await engine.describe(unique)).payload_indexes == {"a.b": PayloadIndexKind.KEYWORD}


async def test_optimize_builds_what_is_unindexed(engine: Engine, unique: str) -> None:
    schema = CollectionSchema(
        dense={"dense": DenseParams(size=32)}, quantization=None, optimizers=OptimizerParams(indexing_threshold=100)
    )
    await engine.create(unique, schema)
    points = [plain(i, *((i * j) % 17 - 8.5 for j in range(1, 33))) for i in range(1, 2001)]
    for start in range(0, 2000, 500):
        await engine.upsert(unique, points[start : start + 500])
    query = one(nearest([1.0] * 32), limit=5)
    before = await engine.query(unique, query)
    built = await engine.optimize(unique)
    assert await engine.optimize(unique) is False
    if engine.features.hnsw:
        assert built is True or engine.features.name == "qdrant"  # a server builds by itself and may have been first
        state = await engine.describe(unique)
        assert state.indexed_vectors >= 1800
        assert state.building is False
    assert await engine.count(unique) == 2000
    after = await engine.query(unique, query)
    assert [p.score for p in after] == pytest.approx([p.score for p in before], abs=0.02)


async def test_optimize_with_nothing_to_do(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    assert await engine.optimize(unique) is False


async def test_missing_features_are_refused(engine: Engine, unique: str, tmp_path: Path) -> None:
    if not engine.features.quantization:
        with pytest.raises(Unsupported):
            await engine.create(unique, msgspec.structs.replace(SMALL, quantization=ScalarQuantization()))
        assert unique not in await engine.names()
    if not engine.features.snapshots:
        await engine.create(unique, SMALL)
        with pytest.raises(Unsupported):
            await engine.snapshot(unique, tmp_path / "image")
        with pytest.raises(Unsupported):
            await engine.restore(f"{unique}-b", tmp_path / "image")
        assert not (tmp_path / "image").exists()


async def test_snapshot_and_restore(engine: Engine, unique: str, tmp_path: Path) -> None:
    if not engine.features.snapshots:
        pytest.skip(f"{engine.features.name} declares that it has no snapshots")
    schema = msgspec.structs.replace(SMALL, payload_indexes={"n": PayloadIndexKind.INTEGER})
    await engine.create(unique, schema)
    await engine.upsert(unique, [plain(i, i, 1, n=i) for i in range(1, 101)])
    image = tmp_path / "image"
    await engine.snapshot(unique, image)
    await engine.upsert(unique, [plain(1000, 1, 1)])
    with pytest.raises(CollectionExists):
        await engine.restore(unique, image)
    for copy in (f"{unique}-a", f"{unique}-b"):  # twice: the image stays as it is
        await engine.restore(copy, image)
        page = await engine.scroll(copy, limit=200, with_vectors=True)
        assert [(p.id, p.payload) for p in page.points] == [(i, {"n": i}) for i in range(1, 101)]
        assert page.points[4].vectors == {"dense": vector(5, 1)}
        assert (await engine.describe(copy)).payload_indexes == {"n": PayloadIndexKind.INTEGER}


async def test_aliases_stand_for_collections_everywhere(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    alias = f"{unique}-alias"
    await engine.apply_aliases({alias: unique})
    assert await engine.aliases() == {alias: unique}
    await engine.upsert(alias, [plain(1, 1, 0, n=1), plain(2, 0, 1, n=2), plain(3, 0, 1, n=3)])
    await engine.delete(alias, [2])
    await engine.delete_matching(alias, filter_of({"must": [{"key": "n", "match": {"value": 3}}]}))
    assert [p.id for p in await engine.query(alias, one(nearest([1, 0])))] == [1]
    assert [r.id for r in await engine.retrieve(alias, [1, 2, 3])] == [1]
    assert [r.id for r in (await engine.scroll(alias, limit=9)).points] == [1]
    assert await engine.count(alias) == await engine.count(unique) == 1
    assert (await engine.describe(alias)).points == 1
    assert alias not in await engine.names()


async def test_aliases_become_exactly_what_is_given(engine: Engine, unique: str) -> None:
    a, b = f"{unique}-a", f"{unique}-b"
    for name in (a, b):
        await engine.create(name, SMALL)
    for wanted in ({"one": a, "two": b}, {"one": b, "three": a}, {"one": b, "three": a}, {}):
        await engine.apply_aliases(wanted)
        assert await engine.aliases() == wanted
    with pytest.raises(CollectionNotFound):
        await engine.count("one")


async def test_a_refused_change_of_aliases_changes_nothing(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.apply_aliases({"kept": unique})
    with pytest.raises(CollectionNotFound):
        await engine.apply_aliases({"other": unique, "bad": "absent"})
    assert await engine.aliases() == {"kept": unique}


async def test_an_alias_and_a_collection_cannot_share_a_name(engine: Engine, unique: str) -> None:
    other = f"{unique}-b"
    await engine.create(unique, SMALL)
    await engine.create(other, SMALL)
    with pytest.raises(CollectionExists):
        await engine.apply_aliases({other: unique})
    await engine.apply_aliases({f"{unique}-alias": unique})
    with pytest.raises(CollectionExists):
        await engine.create(f"{unique}-alias", SMALL)


async def test_dropping_a_collection_takes_its_aliases_along(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.apply_aliases({"leads-here": unique})
    await engine.drop(unique)
    assert await engine.aliases() == {}
    with pytest.raises(CollectionNotFound):
        await engine.count("leads-here")


async def test_an_alias_switch_is_never_seen_half_done(engine: Engine, unique: str) -> None:
    names = [f"{unique}-{i}" for i in range(2)]
    for size, name in enumerate(names, 1):
        await engine.create(name, SMALL)
        await engine.upsert(name, [plain(i, 1, 0) for i in range(size)])
    await engine.apply_aliases({"live": names[0]})
    seen: set[int] = set()
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            seen.add(await engine.count("live"))
            await asyncio.sleep(0)  # memory answers without waiting, so give the writer its turn

    readers = [asyncio.create_task(read()) for _ in range(2)]
    for turn in range(50):
        await engine.apply_aliases({"live": names[(turn + 1) % 2]})
        await asyncio.sleep(0)
    done.set()
    await asyncio.gather(*readers)
    assert seen == {1, 2}
