"""Questions in words over the memory engine: how documents are ranked, whatever their collection holds of them."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from passes import reads
from search_library import PAGES, Library

from vectis.domain.errors import CollectionNotFound
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.ports.directory import UNROUTED, Resolved
from vectis.domain.profiles import DENSE, DOCUMENT_DENSE, DOCUMENT_SPARSE, SPARSE, Scores
from vectis.domain.queries import Rrf
from vectis.domain.routes import Mirror, Route, RoutePlan, Routing, Target
from vectis.search.requests import Overrides, TextSearch


@pytest.fixture(params=[True, False], ids=["whole", "chunks-only"])
async def library(request: pytest.FixtureRequest) -> Library:
    library = Library(whole=request.param)
    await library.fill()
    return library


async def test_documents_are_ranked_each_once_by_one_question_and_one_reading(library: Library) -> None:
    hits = await library.ask("warm bright flames", explain=True)
    assert [hit.id for hit in hits] == ["fire", "lamp", "ice"]
    assert len({hit.id for hit in hits}) == len(hits) == 3
    assert library.reader.calls == ["query_batch", "retrieve"]
    assert (hits[0].chunks, hits[0].payload["text"]) == (3, PAGES["fire"][0])
    wanted = {DENSE, SPARSE, DOCUMENT_DENSE, DOCUMENT_SPARSE} if library.whole else {DENSE, SPARSE}
    for hit in hits:
        assert set(hit.reasons.contributions) == set(hit.reasons.places) <= wanted
        assert sum(hit.reasons.contributions.values()) == pytest.approx(hit.score)
    assert set(hits[0].reasons.places) == wanted
    assert hits[0].snippet == "<mark>flames</mark> are <mark>warm</mark> and <mark>bright</mark>"


async def test_evidence_of_the_whole_finds_what_no_chunk_says_alone(library: Library) -> None:
    """The words stand in different chunks of one document."""
    first, second = (await library.ask("switch lamp flames needed", overrides=Overrides(fusion=Scores(dense=0))))[:2]
    assert first.id == "lamp"
    assert first.score > second.score


async def test_a_compound_is_asked_in_one_word_too_where_the_profile_says_so(library: Library) -> None:
    assert [hit.id for hit in await library.ask("gla-cier", mode="sparse")] == ["ice"]
    library.collection = replace(library.collection, profile=replace(library.collection.profile, spellings=False))
    assert await library.ask("gla-cier", mode="sparse") == []


async def test_windows_of_one_ranking_fit_together(library: Library) -> None:
    everything = [(hit.id, hit.score) for hit in await library.ask("warm bright flames")]
    parts = [await library.ask("warm bright flames", offset=offset, limit=1) for offset in range(4)]
    assert [(hit.id, hit.score) for part in parts for hit in part] == everything
    assert await library.ask("warm bright flames", offset=3) == []
    threshold = everything[1][1]
    assert len(await library.ask("warm bright flames", score_threshold=threshold)) == 2


async def test_chunks_can_be_ranked_instead(library: Library) -> None:
    hits = await library.ask("warm bright flames", group=False, explain=True)
    assert len({hit.id for hit in hits}) == len(hits) == 9
    assert hits[0].payload["text"] == PAGES["fire"][0]
    assert all(sum(hit.reasons.contributions.values()) == pytest.approx(hit.score) for hit in hits)


async def test_a_filter_holds_for_every_prefetch(library: Library) -> None:
    lamps = Filter(must=[Condition(key="kind", match=Match(value="l"))])
    assert [hit.id for hit in await library.ask("warm flames", filter=lamps)] == ["lamp"]
    late = Filter(must=[Condition(key="ordinal", match=Match(value=1))])
    assert {hit.payload["ordinal"] for hit in await library.ask("warm flames", filter=late)} == {1}


async def test_payload_and_vectors_come_as_asked_for(library: Library) -> None:
    (hit,) = await library.ask("a cold glacier of ice", limit=1, with_payload=False, with_vectors=[SPARSE])
    assert (hit.id, hit.payload, list(hit.vectors)) == ("ice", None, [SPARSE])
    (hit,) = await library.ask("a cold glacier of ice", limit=1, with_payload=["kind"])
    assert hit.payload == {"document_id": "ice", "kind": "i"}


async def test_without_the_embedder_words_alone_rank(library: Library) -> None:
    library.embedder.away = True
    answer = await library.service.search_text(reads("docs"), TextSearch(query="glacier", explain=True))
    assert (answer.hits[0].id, answer.degraded) == ("ice", {DENSE: "the embedder is away"})
    assert set(answer.hits[0].reasons.places) <= {SPARSE, DOCUMENT_SPARSE}
    only_dense = Overrides(fusion=Scores(sparse=0, document_sparse=0))
    assert await library.ask("glacier", overrides=only_dense) == []


async def test_a_point_removed_meanwhile_is_left_out(library: Library) -> None:
    query_batch = library.reader.engine.query_batch

    async def query_then_remove(*args: Any) -> Any:
        answers = await query_batch(*args)
        gone = Filter(must=[Condition(key="document_id", match=Match(value="fire"))])
        await library.reader.engine.delete_matching("docs", gone)
        return answers

    library.reader.engine.query_batch = query_then_remove
    assert [hit.id for hit in await library.ask("warm bright flames")] == ["lamp", "ice"]


async def test_plain_hybrid_is_the_default_fused_by_ranks(library: Library) -> None:
    hybrid = await library.ask("warm bright flames", mode="hybrid", explain=True)
    assert hybrid == await library.ask("warm bright flames", explain=True, overrides=Overrides(fusion=Rrf(k=60)))
    assert library.reader.calls == ["query_batch"]
    assert sum(hybrid[0].reasons.contributions.values()) == pytest.approx(hybrid[0].score)
    assert [measured.mode for measured in library.measured] == ["hybrid", "default"]


async def mirrored(library: Library, *, percent: float = 100.0, exact: bool = False) -> None:
    plan = RoutePlan(
        (Target("docs-1"),), followers=("docs-2",), mirror=Mirror({"candidate": "docs-2"}, percent, exact=exact)
    )
    library.route = Route("docs", plan, version=4)


async def asked(library: Library, query: str = "flames") -> None:
    """Ask, and let what was begun behind the answer end; the clock stands, so nothing has to rest."""
    await library.ask(query)
    await until_idle()


async def until_idle() -> None:
    while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nothing tells when the last task ends
        await asyncio.sleep(0)


async def test_a_mirrored_query_is_asked_of_both_behind_its_answer(library: Library) -> None:
    await mirrored(library)
    await asked(library)
    (pair,) = library.pairs
    assert pair.stable == pair.candidate == tuple(hit.id for hit in await library.ask("flames"))
    assert pair.exact is None
    assert pair.query != "flames"  # only those that differ are kept in words
    assert all(measured.route == library.route for measured in library.measured)


async def test_of_several_candidates_each_is_asked_in_turns_and_as_often_first(library: Library) -> None:
    asked_of: list[str] = []
    whole = library.resolve

    async def resolve(name: str, routing: Routing = UNROUTED) -> Resolved:
        asked_of.append(name)
        return await whole("docs-1" if name.startswith("docs-") else name, routing)

    library.resolve = resolve  # type: ignore[method-assign]
    plan = RoutePlan((Target("docs-1"),), mirror=Mirror({"a": "docs-a", "b": "docs-b"}, 100.0))
    library.route = Route("docs", plan, version=4)
    for _ in range(4):
        await asked(library)
    assert [pair.variant for pair in library.pairs] == ["a", "b", "a", "b"]
    assert [name for name in asked_of if name != "docs"] == [
        *("docs-a", "docs-1", "docs-b", "docs-1"),
        *("docs-1", "docs-a", "docs-1", "docs-b"),
    ]


async def test_where_the_index_changes_the_exact_answer_is_looked_up_too(library: Library) -> None:
    await mirrored(library, exact=True)
    await asked(library)
    assert library.pairs[0].exact == library.pairs[0].stable


async def test_the_share_of_mirrored_queries_is_even(library: Library) -> None:
    await mirrored(library, percent=25.0)
    for _ in range(40):
        await asked(library)
    assert 9 <= len(library.pairs) <= 11


async def test_shadows_give_way_to_requests(library: Library) -> None:
    await mirrored(library)
    library.at_work = 4
    await asked(library)
    assert library.pairs == []
    library.at_work = 3
    await asked(library)
    assert len(library.pairs) == 1


async def test_without_a_mirror_nothing_is_asked_twice(library: Library) -> None:
    library.route = Route("docs", RoutePlan((Target("docs-1"),), followers=("docs-2",)))
    await asked(library)
    assert library.pairs == []


async def test_a_candidate_that_fails_found_nothing(library: Library) -> None:
    await mirrored(library)
    whole = library.resolve

    async def resolve(name: str, routing: Routing = UNROUTED) -> Resolved:
        if name == "docs-2":
            raise CollectionNotFound("docs-2 is gone")
        return await whole(name, routing)

    library.resolve = resolve  # type: ignore[method-assign]
    await asked(library)
    (pair,) = library.pairs
    assert pair.candidate == ()
    assert pair.stable
    assert pair.query == "flames"


async def test_a_promoted_candidate_that_fails_is_held_against_the_mirrored_collection(library: Library) -> None:
    plan = RoutePlan(
        (Target("docs-2"),), followers=("docs-1",), mirror=Mirror({"candidate": "docs-1"}, 100.0, as_stable=True)
    )
    library.route = Route("docs", plan, version=4)
    gone = replace(library.collection, name="docs-2")

    async def resolve(name: str, routing: Routing = UNROUTED) -> Resolved:
        if name == "docs-1":
            return Resolved(library.collection, "stable")
        return Resolved(gone, "stable", library.route)

    library.resolve = resolve  # type: ignore[method-assign]
    with pytest.raises(CollectionNotFound):
        await asked(library)
    await until_idle()
    (pair,) = library.pairs
    assert (set(pair.stable), pair.candidate) == (set(PAGES), ())
