"""Recall in production over answers that are given: what is sampled, what it says, and when search looks harder."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from vectis.adapters.memory.clock import ManualClock
from vectis.catalog.profiles import document_profile
from vectis.domain.collections import Collection
from vectis.domain.errors import EngineUnavailable
from vectis.domain.points import SparseVector, dense
from vectis.domain.ports.directory import Resolved
from vectis.domain.profiles import EmbeddingProfile
from vectis.domain.queries import SearchParams
from vectis.search.recall import EFFORT_MAX, SAMPLES, RecallRules, RecallWatch
from vectis.search.requests import Answer, Hit, Overrides, TextSearch, VectorSearch
from vectis.search.spare_time import SpareTime

CLOCK = ManualClock()
DOCS = Resolved(Collection("docs", document_profile(EmbeddingProfile("m", "1", 2, 64)), CLOCK.now()), "stable")
HNSW_EF = DOCS.collection.profile.search.hnsw_ef
QUERY = VectorSearch(dense([1.0, 0.0]))


class World:
    """A watch, what it noted, and an engine whose exact answer is 1 to 4."""

    def __init__(self, percent: float = 100.0) -> None:
        self.noted: list[tuple[str, tuple[str, ...], int, int]] = []
        self.raised: list[tuple[str, int, float]] = []
        self.exact: list[Any] = []
        self.away = False
        spare = SpareTime(CLOCK, lambda: 0, share_percent=50.0, at_work_max=3)
        self.watch = RecallWatch(log=self, spare=spare, rules=RecallRules(percent, least=0.9, timeout_s=5.0))

    def append_recall(self, collection: str, filter_keys: tuple[str, ...], *, found: int, expected: int) -> None:
        self.noted.append((collection, filter_keys, found, expected))

    def effort_raised(self, collection: str, effort: int, *, recall: float) -> None:
        self.raised.append((collection, effort, recall))

    async def answered(self, *ids: int, query: Any = QUERY, keys: tuple[str, ...] = ()) -> None:
        """A query was answered with `ids`; return when what that began has ended."""
        self.watch.offer(query, DOCS, answer(*ids, keys=keys), self.ask)
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nothing tells when the last task ends
            await asyncio.sleep(0)

    async def ask(self, query: Any, _to: Resolved) -> Answer:
        if self.away:
            raise EngineUnavailable("away")
        self.exact.append(query)
        return answer(1, 2, 3, 4)


def answer(*ids: int, keys: tuple[str, ...] = ()) -> Answer:
    return Answer([Hit(id, 1.0) for id in ids], "docs", "stable", 1.0, filter_keys=dict.fromkeys(keys, True))


async def test_what_the_answer_had_of_the_exact_one_is_noted_for_collection_and_filter() -> None:
    world = World()
    await world.answered(1, 2, 9)
    await world.answered(4, 3, 2, 1, keys=("year",))
    assert world.noted == [("docs", (), 2, 4), ("docs", ("year",), 4, 4)]
    assert world.exact[0] == replace(QUERY, params=SearchParams(exact=True))


@pytest.mark.parametrize(
    "query",
    [
        TextSearch("x", mode="sparse"),
        TextSearch("x", exact=True),
        TextSearch("x", overrides=Overrides(hnsw_ef=16)),
        VectorSearch(dense([1.0]), params=SearchParams(hnsw_ef=16)),
        VectorSearch(SparseVector([1], [1.0])),
    ],
)
async def test_queries_that_say_how_hard_to_look_or_miss_nothing_are_not_sampled(query: Any) -> None:
    world = World()
    await world.answered(1, query=query)
    assert world.noted == []


async def test_an_answer_without_a_part_is_compared_with_nothing() -> None:
    world = World()
    world.watch.offer(QUERY, DOCS, replace(answer(1, 2), degraded={"rerank": "away"}), world.ask)
    assert len(asyncio.all_tasks()) == 1


async def test_a_share_is_sampled_and_a_failure_says_nothing() -> None:
    world = World(percent=10.0)
    for _ in range(100):
        await world.answered(1)
    assert 9 <= len(world.noted) <= 11
    world = World()
    world.away = True
    await world.answered(1)
    assert world.noted == []


async def test_where_too_little_is_found_search_looks_harder_up_to_a_bound() -> None:
    world = World()
    efforts = [HNSW_EF]
    for _ in range(5):
        for _ in range(SAMPLES):
            await world.answered(1, 2, 3)
        efforts.append(world.watch.lifted(DOCS).collection.profile.search.hnsw_ef)
    assert efforts == [HNSW_EF * factor for factor in (1, 2, 4, 8, 8, 8)]
    assert world.raised == [("docs", factor, 0.75) for factor in (2, 4, EFFORT_MAX)]


async def test_where_enough_is_found_nothing_changes() -> None:
    world = World()
    for _ in range(SAMPLES):
        await world.answered(1, 2, 3, 4)
    assert world.raised == []
    assert world.watch.lifted(DOCS) is DOCS
