"""Mixed answers: whose pick each result is, that nobody gains by how they are mixed, and what a failing side costs."""

from collections import Counter
from itertools import chain, islice, product, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from passes import reads
from search_library import Library

from vectis.domain.errors import CollectionNotFound, EngineUnavailable, VectisError
from vectis.domain.ports.directory import UNROUTED, Resolved
from vectis.domain.profiles import Scores
from vectis.domain.routes import Route, RoutePlan, Routing, Target
from vectis.search.interleaving import coins, team_draft
from vectis.search.requests import Answer, Hit, TextSearch

ROUNDS = 5
RANKING = st.lists(st.sampled_from("abcdefg"), unique=True, max_size=7)
ADA = Routing("ada", sticky=True)


def found(stable: list[str], candidate: list[str]) -> dict[str, list[Hit]]:
    """What both found, in the order of their ranks."""
    rankings = {"stable": stable, "candidate": candidate}
    return {team: [Hit(id, 1.0) for id in ids] for team, ids in rankings.items()}


@given(RANKING, RANKING, st.integers(1, 8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_a_mixed_answer_has_the_best_of_both_each_once(
    stable: list[str], candidate: list[str], limit: int, tossed: list[bool]
) -> None:
    picks = team_draft(found(stable, candidate), limit=limit, coins=tossed)
    ids = [pick.hit.id for pick in picks]
    assert len(ids) == len(set(ids)) == min(limit, len({*stable, *candidate}))
    for team, ranking in (("stable", stable), ("candidate", candidate)):
        picked = [pick.hit.id for pick in picks if pick.team == team]
        places = [ranking.index(id) for id in picked]
        assert places == sorted(places)
        assert set(ranking[: places[-1] if places else 0]) <= set(ids), "nothing better was passed over"
    teams = Counter(pick.team for pick in picks)
    assert abs(teams["stable"] - teams["candidate"]) <= 1


@given(RANKING, RANKING, st.integers(1, 8))
def test_neither_team_gains_by_the_mixing(stable: list[str], candidate: list[str], limit: int) -> None:
    """At every rank, over all coins, each team has as many results: who clicks on ranks and not on what is there is even."""
    at_rank: Counter[tuple[int, str]] = Counter()
    for tossed in product((False, True), repeat=ROUNDS):
        picks = team_draft(found(stable, candidate), limit=limit, coins=chain(tossed, repeat(False)))
        at_rank.update((rank, pick.team) for rank, pick in enumerate(picks[:ROUNDS]))
    assert all(at_rank[rank, "stable"] == at_rank[rank, "candidate"] for rank in range(ROUNDS))


def test_what_both_would_pick_and_what_only_one_has_left_is_nobodys() -> None:
    picks = team_draft(found(["a", "b", "c"], ["a", "c", "b", "d", "e"]), limit=10, coins=repeat(True))
    assert [(pick.hit.id, pick.team) for pick in picks] == [
        ("a", ""), ("c", "candidate"), ("b", "stable"), ("d", ""), ("e", ""),
    ]  # fmt: skip


def test_coins_are_fair_and_the_same_for_the_same_query() -> None:
    tossed = list(islice(coins("0123456789abcdef"), 10_000))
    assert abs(sum(tossed) - 5000) < 200
    assert tossed == list(islice(coins("0123456789abcdef"), 10_000))
    assert tossed[:64] != list(islice(coins("0123456789abcdee"), 64))


class Mixed:
    """The alias `docs` over the pages and a copy of them that is ranked by words alone; of every key answers are mixed."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.errors: dict[str, VectisError] = {}
        targets = Target("docs", "stable", 50), Target("docs-2", "candidate", 50)
        self.route = Route("docs", RoutePlan(targets, "s", interleave_percent=100), version=4)
        self._resolve = library.resolve
        library.resolve = self.resolve  # type: ignore[method-assign]

    async def resolve(self, name: str, routing: Routing = UNROUTED) -> Resolved:
        if routing is UNROUTED:
            if name in self.errors:
                raise self.errors[name]
            return Resolved(self.collections[name], "stable")
        target = self.route.plan.choose(routing)
        return Resolved(self.collections[target.collection], target.variant, self.route)

    async def fill(self) -> None:
        await self.library.fill()
        stable = self.library.collection
        await self.library.reader.engine.create("docs-2", stable.profile.schema)
        await self.library.reader.engine.upsert("docs-2", list(self.library._points()))
        search = replace(stable.profile.search, fusion=Scores(dense=0, document_dense=0))
        candidate = replace(stable, name="docs-2", profile=replace(stable.profile, search=search))
        self.collections = {"docs": stable, "docs-2": candidate}

    async def ask(self, routing: Routing = ADA, **given: Any) -> Answer:
        request = TextSearch(query="bulb glows", routing=routing, **given)
        return await self.library.service.search_text(reads("docs"), request)


@pytest.fixture
async def mixed() -> Mixed:
    mixed = Mixed(Library(whole=True))
    await mixed.fill()
    return mixed


async def test_an_answer_is_mixed_of_both_and_says_whose_each_result_was(mixed: Mixed) -> None:
    alone = [[hit.id for hit in (await mixed.ask(Routing("x", variant=name))).hits] for name in ("stable", "candidate")]
    assert alone[0] != alone[1], "they rank differently"
    answer = await mixed.ask()
    assert (answer.variant, answer.route_version, answer.degraded) == ("interleaved", 4, {})
    assert {hit.id for hit in answer.hits} == {*alone[0], *alone[1]}
    assert answer.draft is not None
    assert answer.draft.collections == ("docs", "docs-2")
    assert set(answer.draft.teams) <= {hit.id for hit in answer.hits}
    expected = team_draft(found(alone[0], alone[1]), limit=10, coins=coins(answer.draft.query))
    assert [hit.id for hit in answer.hits] == [pick.hit.id for pick in expected]
    assert answer.draft.teams == {pick.hit.id: pick.team for pick in expected if pick.team}
    assert [measured.variant for measured in mixed.library.measured] == ["stable", "candidate", "interleaved"]
    assert len((await mixed.ask(limit=1)).hits) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"routing": Routing("request-1")},
        {"routing": replace(ADA, variant="candidate")},
        {"offset": 1},
        {"explain": True},
        {"diversity": 0.5},
        {"group": False},
        {"mode": "hybrid"},
    ],
)
async def test_other_questions_are_answered_by_one_variant(mixed: Mixed, given: dict[str, Any]) -> None:
    answer = await mixed.ask(**given)
    assert answer.variant in ("stable", "candidate")
    assert answer.draft is None
    assert [measured.variant for measured in mixed.library.measured] == [answer.variant]


@pytest.mark.parametrize(("failing", "answering"), [("docs", "candidate"), ("docs-2", "stable")])
async def test_when_one_fails_the_other_answers_alone(mixed: Mixed, failing: str, answering: str) -> None:
    mixed.errors = {failing: EngineUnavailable("away")}
    answer = await mixed.ask()
    assert (answer.variant, answer.route_version, answer.draft) == (answering, 4, None)
    assert answer.hits
    (measured,) = mixed.library.measured
    assert (measured.variant, measured.outcome) == ("interleaved", "ok"), "no figure of the one that did not fail"


async def test_when_both_fail_so_does_the_query(mixed: Mixed) -> None:
    mixed.errors = {"docs": EngineUnavailable("away"), "docs-2": CollectionNotFound("gone")}
    with pytest.raises(EngineUnavailable):
        await mixed.ask()
    (measured,) = mixed.library.measured
    assert (measured.variant, measured.outcome) == ("interleaved", "engine_unavailable")
