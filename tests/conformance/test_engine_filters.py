"""Filters on every engine: one table of conditions and the points that match, as the Qdrant engine answers."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from engine_suite import SMALL, UUID_A, UUID_B, filter_of, nearest, needs, one, vector

from vectis.domain.errors import InvalidFilter
from vectis.domain.points import Point, PointId
from vectis.domain.ports.engine import Engine

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAYLOADS: dict[PointId, dict[str, Any]] = {
    1: {
        "text": "Red", "tags": ["a", "b"], "n": 5, "f": 5.0, "on": True, "at": "2024-01-01T00:00:00Z",
        "place": {"lon": 13.4, "lat": 52.5}, "x": None, "e": [],
        "items": [{"k": "p", "v": 1}, {"k": "q", "v": 2}], "o": {"in": {"deep": 7}},
    },
    2: {
        "text": "red wine", "tags": "a", "n": [1, 9], "f": 5.5, "on": False, "at": "2024-06-01T12:00:00+02:00",
        "place": [{"lon": 0.0, "lat": 51.5}, {"lon": 179.5, "lat": 0.0}], "x": [None, 1],
        "items": [{"k": "p", "v": 2}, {"k": "q", "v": 1}],
    },
    3: {
        "text": ["white", "RED-ish thing"], "tags": [], "n": "5", "f": 5, "on": 1, "at": "2024-06-01", "x": [None],
        "items": {"k": "p", "v": 2}, "e": {}, "grid": [[1, 2], [3]],
    },
    4: {},
    5: {"x": [], "n": None, "tags": ["c", None], "e": [None], "at": "bad", "on": "true", "items": []},
    6: {"n": 5.0, "text": "größe Ünïcode", "tags": [["a"]], "at": "2024-06-01T10:00:00.123456"},
    UUID_A: {"n": 77},
}  # fmt: skip
ALL = list(PAYLOADS)


def match(key: str, **test: Any) -> dict[str, Any]:
    return {"key": key, "match": {name.rstrip("_"): value for name, value in test.items()}}


def bounds(key: str, **test: Any) -> dict[str, Any]:
    return {"key": key, "range": test}


def counted(key: str, **test: int) -> dict[str, Any]:
    return {"key": key, "values_count": test}


def nested(key: str, **clauses: Any) -> dict[str, Any]:
    return {"nested": {"key": key, "filter": clauses}}


def circle(lon: float, lat: float, radius: float) -> dict[str, Any]:
    return {"key": "place", "geo_radius": {"center": {"lon": lon, "lat": lat}, "radius": radius}}


def box(west: float, north: float, east: float, south: float) -> dict[str, Any]:
    corners = {"top_left": {"lon": west, "lat": north}, "bottom_right": {"lon": east, "lat": south}}
    return {"key": "place", "geo_bounding_box": corners}


def empty(key: str) -> dict[str, Any]:
    return {"is_empty": {"key": key}}


def null(key: str) -> dict[str, Any]:
    return {"is_null": {"key": key}}


CONDITIONS: dict[str, tuple[dict[str, Any], list[PointId]]] = {
    "value keyword": (match("text", value="Red"), [1]),
    "value is case sensitive": (match("text", value="red"), []),
    "value integer": (match("n", value=5), [1]),
    "value integer in an array": (match("n", value=9), [2]),
    "value keyword of digits": (match("n", value="5"), [3]),
    "value integer is not a float": (match("f", value=5), [3]),
    "value true": (match("on", value=True), [1]),
    "value false": (match("on", value=False), [2]),
    "value one is not true": (match("on", value=1), [3]),
    "value in any element": (match("tags", value="a"), [1, 2]),
    "value under brackets": (match("tags[]", value="a"), [1, 6]),
    "value at an index": (match("tags[0]", value="a"), [1, 6]),
    "value at another index": (match("tags[1]", value="a"), []),
    "value of a nested key": (match("o.in.deep", value=7), [1]),
    "value in objects of an array": (match("items[].k", value="p"), [1, 2]),
    "value in an object": (match("items.k", value="p"), [3]),
    "value in the second object": (match("items[1].v", value=1), [2]),
    "value in arrays of arrays": (match("grid[]", value=1), [3]),
    "arrays open by one level": (match("grid", value=1), []),
    "quoted key": (match('"text"', value="Red"), [1]),
    "any keyword": (match("tags", any=["a", "c"]), [1, 2, 5]),
    "any integer": (match("n", any=[5, 9]), [1, 2]),
    "any of nothing": (match("n", any=[]), []),
    "except keyword": (match("tags", except_=["a"]), [1, 5, 6]),
    "except integer": (match("n", except_=[5]), [2, 3, 6, UUID_A]),
    "except nothing": (match("n", except_=[]), [1, 2, 3, 6, UUID_A]),
    "text word": (match("text", text="red"), [1, 2, 3]),
    "text in capitals": (match("text", text="RED"), [1, 2, 3]),
    "text words in any order": (match("text", text="wine red"), [2]),
    "text is whole words": (match("text", text="re"), []),
    "text beyond ascii": (match("text", text="GRÖßE"), [6]),
    "range from": (bounds("n", gte=5), [1, 2, 6, UUID_A]),
    "range between, one value": (bounds("n", gt=2, lt=8), [1, 6]),
    "range above": (bounds("f", gt=5), [2]),
    "range up to": (bounds("f", lte=5), [1, 3]),
    "range of no number": (bounds("text", gte=0), []),
    "range skips booleans": (bounds("on", gte=0), [3]),
    "datetime from, other zone": (bounds("at", gte="2024-06-01T10:00:00Z"), [2, 6]),
    "datetime from, exact zone": (bounds("at", gte="2024-06-01T12:00:00+02:00"), [2, 6]),
    "datetime before": (bounds("at", lt="2024-06-01T00:00:00Z"), [1]),
    "datetime up to": (bounds("at", lte="2024-06-01T00:00:00Z"), [1, 3]),
    "datetime between": (bounds("at", gt="2024-06-01T10:00:00Z", lt="2024-06-01T10:00:01Z"), [6]),
    "geo radius": (circle(13.4, 52.5, 1000.0), [1]),
    "geo radius, any of several": (circle(0.1, 51.5, 10_000.0), [2]),
    "geo radius, just too small": (circle(0.1, 51.5, 6_900.0), []),
    "geo box": (box(13.0, 53.0, 14.0, 52.0), [1]),
    "geo box excludes its border": (box(13.4, 53.0, 14.0, 52.5), []),
    "geo box over the antimeridian": (box(179.0, 1.0, -179.0, -1.0), [2]),
    "empty null or absent": (empty("x"), [1, 4, 5, 6, UUID_A]),
    "empty array": (empty("tags"), [3, 4, UUID_A]),
    "empty knows an empty object": (empty("e"), [1, 2, 4, 6, UUID_A]),
    "empty everywhere": (empty("absent"), ALL),
    "empty in objects of an array": (empty("items[].k"), [3, 4, 5, 6, UUID_A]),
    "null": (null("x"), [1, 2, 3]),
    "null in an array": (null("tags"), [5]),
    "null is not absence": (null("absent"), []),
    "count of absent": (counted("x", lte=0), [1, 4, 5, 6, UUID_A]),
    "count of one": (counted("x", gte=1, lte=1), [3]),
    "count of two": (counted("tags", gt=1, lt=3), [1, 5]),
    "count of a scalar": (counted("n", gte=1, lt=2), [1, 3, 6, UUID_A]),
    "count of arrays in an array": (counted("grid[]", gte=2), [3]),
    "has id": ({"has_id": [1, 2, 99, UUID_A, UUID_B]}, [1, 2, UUID_A]),
    "has id of nothing": ({"has_id": []}, []),
    "nested, one element": (nested("items", must=[match("k", value="p"), match("v", value=2)]), [2]),
    "nested with brackets": (nested("items[]", must=[match("k", value="p"), match("v", value=2)]), [2]),
    "nested must_not": (nested("items", must_not=[match("k", value="p")]), [1, 2]),
    "nested should": (nested("items", should=[match("v", value=9), match("k", value="q")]), [1, 2]),
    "nested empty": (nested("items", must=[empty("absent")]), [1, 2]),
}

FILTERS: dict[str, tuple[dict[str, Any], list[PointId]]] = {
    "nothing": ({}, ALL),
    "empty lists": ({"must": [], "should": [], "must_not": []}, ALL),
    "must": ({"must": [match("tags", value="a"), match("n", value=5)]}, [1]),
    "should": ({"should": [match("n", value=5), match("n", value=77)]}, [1, UUID_A]),
    "must and should": ({"must": [bounds("n", gte=5)], "should": [match("tags", value="a"), null("x")]}, [1, 2]),
    "should of nothing that holds": ({"should": [match("n", value=1000)]}, []),
    "all three": (
        {"must": [bounds("n", gte=1)], "should": [empty("e"), match("n", value=77)], "must_not": [match("text", value="Red")]},
        [2, 6, UUID_A],
    ),
    "clauses within clauses": (
        {"must": [{"should": [match("n", value=5), match("n", value=77)], "must_not": [match("text", value="Red")]}]},
        [UUID_A],
    ),
    "must_not of clauses": (
        {"must_not": [{"must": [match("tags", value="a"), match("on", value=True)]}]},
        [2, 3, 4, 5, 6, UUID_A],
    ),
    "three deep": (
        {
            "should": [
                {"must": [{"should": [match("n", value=9)]}]},
                {"must": [{"must_not": [bounds("n", lt=50)]}, match("n", value=77)]},
            ]
        },
        [2, UUID_A],
    ),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filtered(engine: Engine) -> AsyncIterator[str]:
    """A collection of the points above."""
    name = f"filters-{uuid4().hex[:8]}"
    await engine.create(name, SMALL)
    points = [Point(i, {"dense": vector(1, n)}, payload) for n, (i, payload) in enumerate(PAYLOADS.items())]
    await engine.upsert(name, points)
    yield name
    await engine.drop(name)


async def matching(engine: Engine, name: str, written: dict[str, Any]) -> list[PointId]:
    """What scroll finds; count and query must agree."""
    filter = filter_of(written)
    found = [record.id for record in (await engine.scroll(name, limit=100, filter=filter)).points]
    assert await engine.count(name, filter) == len(found)
    hits = await engine.query(name, one(nearest([0, 1]), limit=100, filter=filter))
    assert sorted(map(str, (hit.id for hit in hits))) == sorted(map(str, found))
    return found


@pytest.mark.parametrize("case", CONDITIONS)
async def test_condition(engine: Engine, filtered: str, case: str) -> None:
    needs(engine, case)
    condition, expected = CONDITIONS[case]
    assert await matching(engine, filtered, {"must": [condition]}) == expected


@pytest.mark.parametrize("case", CONDITIONS)
async def test_condition_negated(engine: Engine, filtered: str, case: str) -> None:
    needs(engine, case)
    condition, expected = CONDITIONS[case]
    assert await matching(engine, filtered, {"must_not": [condition]}) == [i for i in ALL if i not in expected]


@pytest.mark.parametrize("case", FILTERS)
async def test_clauses(engine: Engine, filtered: str, case: str) -> None:
    needs(engine, case)
    written, expected = FILTERS[case]
    assert await matching(engine, filtered, written) == expected


@pytest.mark.parametrize("path", ["", "a..b", "a.", "a[", "a[-1]", "x y", "a[]b"])
async def test_a_key_that_is_no_path(engine: Engine, filtered: str, path: str) -> None:
    filter = filter_of({"must": [match(path, value=1)]})
    with pytest.raises(InvalidFilter):
        await engine.count(filtered, filter)
