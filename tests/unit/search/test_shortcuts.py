"""What the engine's shortcuts save: which queries are compared, by which ways, and when nothing is told."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from search_library import Library

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.engine import MemoryEngine
from vectis.domain.errors import EngineUnavailable
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.points import Point, ScoredPoint, dense
from vectis.domain.queries import EngineQuery, Nearest, Rrf
from vectis.domain.schema import CollectionSchema, DenseParams
from vectis.search.shortcuts import Shortcuts
from vectis.search.spare_time import EvenSample, SpareTime

NEAREST = Nearest(vector=dense([1.0, 0.0]), using="dense", limit=300)
PLAIN = EngineQuery(prefetches=(NEAREST,), limit=300)
INDEXED = {"place": True}


def near(place: int) -> Filter:
    """The twelve points from a place on, in the order of how near they are."""
    return Filter(must=[Condition(key="place", match=Match(any=list(range(place, place + 12))))])


class World:
    """4,000 points in memory, each request to which takes a second, and what was noted of shortcuts."""

    def __init__(self, percent: float = 100.0) -> None:
        self.engine, self.clock = MemoryEngine(), ManualClock()
        self.noted: list[tuple[str, str, float, float]] = []
        self.limits: list[int] = []
        self.away = False
        spare = SpareTime(self.clock, lambda: 0, share_percent=50.0, at_work_max=3)
        self.shortcuts = Shortcuts(
            reader=self, log=self, clock=self.clock, spare=spare, sample_percent=percent, timeout_s=5.0
        )

    async def fill(self) -> None:
        await self.engine.create("docs", CollectionSchema(dense={"dense": DenseParams(size=2)}, quantization=None))
        points = [Point(n, {"dense": dense([1.0, n / 1000])}, {"place": n}) for n in range(4000)]
        await self.engine.upsert("docs", points)

    def append_shortcut(self, collection: str, shortcut: str, *, short_s: float, long_s: float) -> None:
        self.noted.append((collection, shortcut, short_s, long_s))

    async def query(self, name: str, query: EngineQuery) -> list[ScoredPoint]:
        return (await self.query_batch(name, [query]))[0]

    async def query_batch(self, name: str, queries: Sequence[EngineQuery]) -> list[list[ScoredPoint]]:
        if self.away:
            raise EngineUnavailable("away")
        self.clock.advance(1.0)
        self.limits += [query.limit for query in queries]
        return await self.engine.query_batch(name, queries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def asked(self, *queries: EngineQuery, keys: dict[str, bool] | None = None) -> None:
        """One request was made; return when what that began has ended."""
        self.shortcuts.offer("docs", queries, keys or {})
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nothing tells when the last task ends
            await asyncio.sleep(0)
        self.clock.advance(3600)


@pytest.fixture
async def world() -> World:
    world = World()
    await world.fill()
    return world


@pytest.mark.parametrize(
    "queries",
    [(PLAIN, PLAIN, PLAIN), (replace(PLAIN, prefetches=(NEAREST,) * 3, fusion=Rrf()),)],
    ids=["scores", "fused by the engine"],
)
async def test_prefetches_in_one_request_are_compared_with_one_after_the_other(
    world: World, queries: tuple[EngineQuery, ...]
) -> None:
    await world.asked(*queries)
    await world.asked(*queries)
    assert world.noted == [("docs", "prefetches", 1.0, 3.0)] * 2


@pytest.mark.parametrize(("place", "requests"), [(0, 1), (30, 1), (31, 2), (300, 3), (3000, 4)])
async def test_a_filter_is_compared_with_reading_on_until_its_ten_are_found(
    world: World, place: int, requests: int
) -> None:
    await world.asked(replace(PLAIN, filter=near(place)), keys=INDEXED)
    assert world.noted == [("docs", "filter", 1.0, float(requests))]
    assert sorted(world.limits) == sorted([10, 10, *(40, 160, 640, 2560)[:requests]])


async def test_what_has_no_shortcut_or_no_result_is_not_compared(world: World) -> None:
    await world.asked(PLAIN)
    await world.asked(replace(PLAIN, filter=near(0)), keys={"place": True, "kind": False})
    assert world.limits == []
    await world.asked(replace(PLAIN, filter=near(5000)), keys=INDEXED)
    world.away = True
    await world.asked(PLAIN, PLAIN)
    assert world.noted == []


async def test_a_share_is_sampled_and_not_the_one_of_recall() -> None:
    few = World(percent=10.0)
    await few.fill()
    recall = EvenSample()
    both = 0
    for _ in range(100):
        before = len(few.noted)
        await few.asked(PLAIN, PLAIN)
        both += recall.takes(10.0) and len(few.noted) > before
    assert 9 <= len(few.noted) <= 11
    assert both == 0


async def test_search_tells_the_score_of_the_first_result() -> None:
    library = Library(whole=True)
    await library.fill()
    first = (await library.ask("warm bright flames"))[0]
    assert [each.first_score for each in library.measured] == [first.score]
