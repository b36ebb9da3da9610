"""Hypothetical answers: what is asked with, what is kept, what may be spent, and what happens without."""

import math
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from passes import reads
from search_library import COLD, PROFILE, WARM, Library

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.embedders import MemoryEmbedders
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.embedders import Embedders
from vectis.domain.errors import GeneratorUnavailable, InvalidInput
from vectis.domain.profiles import Hyde, Scores
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.hypothesis import PROMPT_TOKENS_MAX, Hypotheses, Spending
from vectis.search.requests import Answer, Overrides, TextSearch

QUESTION = "warm bright flames"


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    opened = await open_store("sqlite:///:memory:")
    yield opened
    await opened.close()


@pytest.fixture
async def library() -> Library:
    library = Library(whole=True)
    await library.fill()
    return library


async def ask(library: Library, **given: Any) -> Answer:
    return await library.service.search_text(reads("docs"), TextSearch(QUESTION, **{"mode": "hyde", **given}))


async def test_the_mean_of_question_and_passages_is_asked_and_remembered(library: Library) -> None:
    library.generator.writes = ["it is cold", "cold again", "and cold"]
    by_meaning = Overrides(fusion=Scores(sparse=0, document_sparse=0))
    assert (await ask(library, mode="default", overrides=by_meaning)).hits[0].id == "fire"
    answer = await ask(library, overrides=by_meaning)
    assert answer.hits[0].id == "ice"
    assert answer.degraded == {}
    assert "generate" in answer.stages_ms
    assert len(library.generator.asked) == 3
    assert all(QUESTION in asked for asked in library.generator.asked)
    ((_, vector),) = library.kept.vectors.items()
    expected = [warm + 3 * cold for warm, cold in zip(WARM, COLD, strict=True)]
    assert list(vector) == pytest.approx([value / math.hypot(*expected) for value in expected])
    assert (await ask(library, overrides=by_meaning)).hits == answer.hits
    assert len(library.generator.asked) == 3
    assert library.hypotheses.counts()["known_total"] == 1


async def test_a_kept_one_grows_old_and_other_wishes_are_others(library: Library) -> None:
    library.generator.writes = ["cold"] * 20
    await ask(library)
    library.clock.advance(86_400)
    await ask(library)
    await ask(library, overrides=Overrides(hyde=Hyde(documents=1)))
    assert len(library.generator.asked) == 3 + 3 + 1


async def test_those_that_come_in_time_count(library: Library) -> None:
    library.generator.writes = ["cold", GeneratorUnavailable("busy"), 30.0]
    answer = await ask(library, overrides=Overrides(hyde=Hyde(timeout_ms=50)))
    assert answer.degraded == {}
    ((_, vector),) = library.kept.vectors.items()
    assert list(vector) == pytest.approx([math.sqrt(0.5)] * 2)


@pytest.mark.parametrize(
    ("fault", "why"),
    [([GeneratorUnavailable("away")] * 3, "away"), ([30.0] * 3, "the language model took longer than 50 ms")],
)
async def test_without_any_the_question_itself_is_asked_and_the_answer_says_so(
    library: Library, fault: list, why: str
) -> None:
    library.generator.writes = fault
    answer = await ask(library, overrides=Overrides(hyde=Hyde(timeout_ms=50)))
    assert answer.degraded == {"hyde": why}
    assert [hit.id for hit in answer.hits] == [hit.id for hit in (await ask(library, mode="default")).hits]
    assert library.kept.vectors == {}
    counts = library.hypotheses.counts()
    assert counts["failed_total"] == 1
    assert counts["generation_seconds_total"] > 0


async def test_none_are_written_where_nobody_wishes_them(library: Library) -> None:
    for given in (
        {"mode": "default"}, {"mode": "sparse"}, {"mode": "hyde", "overrides": Overrides(hyde=Hyde(documents=0))},
    ):  # fmt: skip
        await ask(library, **given)
    library.profile_searches(hyde=Hyde())
    await ask(library, mode="hybrid")
    assert library.generator.asked == []
    library.generator.writes = ["cold"] * 3
    await ask(library, mode="default")
    assert len(library.generator.asked) == 3


async def test_wishes_are_bounded(library: Library) -> None:
    with pytest.raises(InvalidInput, match=r"hyde\.temperature"):
        await ask(library, overrides=Overrides(hyde=Hyde(temperature=3)))


async def test_what_is_set_aside_is_spent_until_it_is_settled(store: SqlStore) -> None:
    clock = ManualClock()
    spending = Spending(store, clock, price_per_million_tokens=1000.0, cost_per_day_max=1.0)
    day = await spending.reserve(600)
    with pytest.raises(GeneratorUnavailable, match="cost_per_day_max"):
        await spending.reserve(600)
    await spending.settle(day, 600, 100)
    assert await store.spent(day) == pytest.approx(0.1)
    await spending.reserve(600)
    clock.advance(timedelta(days=1).total_seconds())
    await spending.reserve(900)
    await spending.settle(day, 600, 0)
    assert await store.spent(day) == pytest.approx(0.1)
    assert await store.spent(day + timedelta(days=1)) == pytest.approx(0.9)


async def test_where_nobody_can_tell_nothing_is_spent_unless_it_is_free(store: SqlStore) -> None:
    await store.close()
    with pytest.raises(GeneratorUnavailable, match="cannot be counted"):
        await Spending(store, ManualClock(), price_per_million_tokens=1.0, cost_per_day_max=1.0).reserve(1)
    await Spending(store, ManualClock(), price_per_million_tokens=0.0, cost_per_day_max=0.0).reserve(10**9)


async def test_a_question_settles_what_its_passages_took_and_keeps_aside_those_that_may_still_come(
    library: Library, store: SqlStore
) -> None:
    spending = Spending(store, library.clock, price_per_million_tokens=1e6, cost_per_day_max=1e6)
    embeddings = QueryEmbeddings(Embedders(PROFILE, [MemoryEmbedders(library.embedder)]), library.kept)
    hypotheses = Hypotheses(library.generator, embeddings, spending, library.clock, ttl_s=86_400)
    library.generator.writes = ["cold", GeneratorUnavailable("busy"), 30.0]
    await hypotheses.vector(QUESTION, WARM, PROFILE, Hyde(timeout_ms=50))
    late = PROMPT_TOKENS_MAX + len(QUESTION) + Hyde().max_tokens
    assert await store.spent(library.clock.now().date()) == 10 + late
