"""Which payload keys a filter tests, and which of the tests a payload index serves."""

from datetime import UTC, datetime

import pytest

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.engine import MemoryEngine
from vectis.domain.filters import Condition, Filter, GeoPoint, GeoRadius, Match, Nested, PayloadKey, Range
from vectis.domain.schema import CollectionSchema, DenseParams, PayloadIndexKind
from vectis.search.filter_indexes import KNOWN_FOR_S, FilterIndexes

SCHEMA = CollectionSchema(
    dense={"dense": DenseParams(size=2)},
    quantization=None,
    payload_indexes={
        "word": PayloadIndexKind.KEYWORD,
        "number": PayloadIndexKind.INTEGER,
        "day": PayloadIndexKind.DATETIME,
        "parts[].size": PayloadIndexKind.FLOAT,
    },
)


@pytest.fixture
async def world() -> tuple[FilterIndexes, MemoryEngine, ManualClock]:
    engine, clock = MemoryEngine(), ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    await engine.create("c", SCHEMA)
    return FilterIndexes(engine, clock), engine, clock


NEAR = GeoRadius(center=GeoPoint(lon=1.0, lat=2.0), radius=3.0)


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        (Condition(key="word", match=Match(value="a")), {"word": True}),
        (Condition(key="word", match=Match(except_=["a"])), {"word": True}),
        (Condition(key="word", match=Match(text="a")), {"word": False}),
        (Condition(key="word", match=Match(value=1)), {"word": False}),
        (Condition(key="number", match=Match(any=[1, 2])), {"number": True}),
        (Condition(key="number", match=Match(value=True)), {"number": False}),
        (Condition(key="number", range=Range(gt=1)), {"number": True}),
        (Condition(key="number", geo_radius=NEAR), {"number": False}),
        (Condition(key="day", range=Range(gte="2026-01-01")), {"day": True}),
        (Condition(key="day", range=Range(gte=1)), {"day": False}),
        (Condition(key="other", match=Match(value="a")), {"other": False}),
        (Condition(is_empty=PayloadKey(key="day")), {"day": True}),
        (Condition(has_id=[1]), {}),
        (
            Condition(nested=Nested("parts", Filter(must=[Condition(key="size", range=Range(lt=1))]))),
            {"parts[].size": True},
        ),
        (
            Condition(should=[Condition(key="word", match=Match(value=w)) for w in (1, "a")]),
            {"word": False},
        ),
    ],
)
async def test_an_index_serves_the_tests_of_its_kind(
    world: tuple[FilterIndexes, MemoryEngine, ManualClock], condition: Condition, keys: dict[str, bool]
) -> None:
    indexes, _, _ = world
    assert await indexes.keys("c", Filter(must_not=[condition])) == keys


async def test_an_index_made_elsewhere_is_seen_in_a_while(
    world: tuple[FilterIndexes, MemoryEngine, ManualClock],
) -> None:
    indexes, engine, clock = world
    by_author = Filter(must=[Condition(key="author", match=Match(value="a"))])
    assert await indexes.keys("c", by_author) == {"author": False}
    await engine.create_payload_index("c", "author", PayloadIndexKind.KEYWORD)
    clock.advance(KNOWN_FOR_S)
    assert await indexes.keys("c", by_author) == {"author": True}
    assert await indexes.keys("absent", None) == {}
