"""What payload adds to the scores of documents."""

from typing import Any

import pytest
from search_library import Library

from vectis.domain.errors import InvalidFilter, InvalidInput
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.profiles import Boost, Recency, Rerank
from vectis.domain.queries import Rrf
from vectis.search.requests import Hit, Overrides

QUESTION = "warm bright flames"
OF_ICE = Filter(must=[Condition(key="kind", match=Match(value="i"))])
DATES = {"fire": "2024-01-01", "ice": "2026-01-01T00:00:00Z", "lamp": "no date"}
"""The clock of the library says 2026-01-01."""
BAD_KEYS = ["", "a b", "a.", "a[0]", '"a"', "a\n"]


@pytest.fixture(params=[True, False], ids=["whole", "chunks-only"])
async def library(request: pytest.FixtureRequest) -> Library:
    library = Library(whole=request.param, more_payload={id: {"last_updated": date} for id, date in DATES.items()})
    await library.fill()
    return library


async def boosted(library: Library, *boosts: Boost, **given: Any) -> list[Hit]:
    return await library.ask(QUESTION, explain=True, overrides=Overrides(boosts=list(boosts), **given))


async def test_a_condition_that_holds_adds_its_share(library: Library) -> None:
    plain = await library.ask(QUESTION, explain=True)
    hits = await boosted(library, Boost(20.0, when=OF_ICE))
    assert ([hit.id for hit in plain][-1], hits[0].id) == ("ice", "ice")
    weight = len(plain[0].reasons.places)
    for hit in hits:
        assert sum(hit.reasons.contributions.values()) == pytest.approx(hit.score)
        assert ("boosts[0]" in hit.reasons.contributions) == (hit.id == "ice")
    assert hits[0].reasons.contributions["boosts[0]"] == pytest.approx(20 / (weight + 20))


async def test_what_is_recent_is_lifted_by_half_lives(library: Library) -> None:
    hits = {hit.id: hit for hit in await boosted(library, Boost(4.0, recent=Recency(half_life_days=365.5)))}
    share = hits["ice"].reasons.contributions["boosts[0]"]
    assert hits["fire"].reasons.contributions["boosts[0]"] == pytest.approx(share / 4)  # 731 days
    assert "boosts[0]" not in hits["lamp"].reasons.contributions
    other_key = await boosted(library, Boost(4.0, recent=Recency(half_life_days=1, key="kind")))
    assert not any("boosts[0]" in hit.reasons.contributions for hit in other_key)


async def test_a_date_may_stand_within_a_key() -> None:
    library = Library(whole=True, more_payload={id: {"page": {"changed": date}} for id, date in DATES.items()})
    await library.fill()
    hits = {hit.id: hit for hit in await boosted(library, Boost(4.0, recent=Recency(365.5, key="page.changed")))}
    assert "boosts[0]" in hits["ice"].reasons.contributions
    assert "boosts[0]" not in hits["lamp"].reasons.contributions
    within_text = await boosted(library, Boost(4.0, recent=Recency(1, key="kind.changed")))
    assert not any("boosts[0]" in hit.reasons.contributions for hit in within_text)


async def test_boosts_add_up_beside_the_reranker(library: Library) -> None:
    boosts = (Boost(3.0, when=OF_ICE), Boost(1.0, recent=Recency(half_life_days=30)), Boost(0.0, when=OF_ICE))
    hits = await boosted(library, *boosts, rerank=Rerank(weight=4))
    for hit in hits:
        assert sum(hit.reasons.contributions.values()) == pytest.approx(hit.score)
    ice = next(hit for hit in hits if hit.id == "ice").reasons.contributions
    assert (ice["boosts[0]"], ice["boosts[2]"]) == (pytest.approx(3 * ice["boosts[1]"]), 0.0)


async def test_boosts_of_a_profile_count_unless_a_query_says_otherwise(library: Library) -> None:
    library.profile_searches(boosts=[Boost(20.0, when=OF_ICE)])
    assert (await library.ask(QUESTION))[0].id == "ice"
    for given in ({"mode": "hybrid"}, {"overrides": Overrides(fusion=Rrf())}, {"overrides": Overrides(boosts=[])}):
        assert (await library.ask(QUESTION, **given))[0].id == "fire"


@pytest.mark.parametrize(
    ("boost", "error", "field"),
    [
        (Boost(1.0), InvalidInput, "settings.boosts[0]"),
        (Boost(1.0, when=OF_ICE, recent=Recency(1)), InvalidInput, "settings.boosts[0]"),
        (Boost(-1.0, when=OF_ICE), InvalidInput, "settings.boosts[0].weight"),
        (Boost(1.0, recent=Recency(0)), InvalidInput, "settings.boosts[0].recent.half_life_days"),
        (Boost(1.0, when=Filter(must=[Condition(key="a")])), InvalidFilter, "settings.boosts[0].when"),
        *((Boost(1.0, recent=Recency(1, key)), InvalidInput, "settings.boosts[0].recent.key") for key in BAD_KEYS),
    ],
)
async def test_what_cannot_lift_is_refused(library: Library, boost: Boost, error: type[Exception], field: str) -> None:
    with pytest.raises(error) as refused:
        await boosted(library, boost)
    assert field in str(refused.value)
    with pytest.raises(InvalidInput, match="boosts"):
        await boosted(library, Boost(1.0, when=OF_ICE), fusion=Rrf())


async def test_a_mode_of_one_vector_takes_no_further_parts(library: Library) -> None:
    for given in (Overrides(boosts=[Boost(1.0, when=OF_ICE)]), Overrides(rerank=Rerank())):
        with pytest.raises(InvalidInput, match="ranks without"):
            await library.ask(QUESTION, mode="dense", overrides=given)


async def test_nothing_found_is_nothing_lifted(library: Library) -> None:
    nobody = Filter(must=[Condition(key="kind", match=Match(value="x"))])
    overrides = Overrides(boosts=[Boost(1.0, when=OF_ICE), Boost(1.0, recent=Recency(1))], rerank=Rerank())
    assert await library.ask(QUESTION, filter=nobody, overrides=overrides) == []
