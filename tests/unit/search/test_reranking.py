"""What a reranker says of the first documents is one more part of their scores; without it the order stays."""

import pytest
from passes import reads
from search_library import PAGES, Library

from vectis.domain.profiles import DENSE, SPARSE, Rerank, Scores
from vectis.domain.queries import Rrf
from vectis.search.requests import Overrides, TextSearch

ALL_CHUNKS = Overrides(rerank=Rerank(chunks=4, weight=40))
QUESTION = "warm bright flames"
WHY = {"away": "the reranker is away", "slow": "the reranker took longer than 20 ms"}


@pytest.fixture(params=[True, False], ids=["whole", "chunks-only"])
async def library(request: pytest.FixtureRequest) -> Library:
    library = Library(whole=request.param)
    await library.fill()
    return library


async def test_the_reranker_s_word_is_a_part_of_the_score(library: Library) -> None:
    plain = await library.ask(QUESTION, explain=True)
    hits = await library.ask(QUESTION, explain=True, overrides=ALL_CHUNKS)
    assert (plain[0].id, hits[0].id) == ("fire", "lamp")
    assert library.reader.calls == ["query_batch", "retrieve", "retrieve"]
    for hit in hits:
        assert sum(hit.reasons.contributions.values()) == pytest.approx(hit.score)
        assert (hit.reasons.places["rerank"].rank == 1) == (hit.id == "lamp")
    share = 40 / (40 + len(plain[0].reasons.places))
    before = {hit.id: hit.reasons.contributions for hit in plain}
    for hit in hits:
        for name in (DENSE, SPARSE):
            assert hit.reasons.contributions.get(name, 0) == pytest.approx((1 - share) * before[hit.id].get(name, 0))


async def test_it_reads_the_best_chunks_of_the_first_documents_below_their_titles(library: Library) -> None:
    await library.ask(QUESTION, overrides=Overrides(rerank=Rerank(candidates=2, chunks=1)))
    first, second = library.reranker.read
    assert first == f"Fire\n{PAGES['fire'][0]}"
    assert second in [f"Lamp\n{text}" for text in PAGES["lamp"]]
    await library.ask(QUESTION, overrides=Overrides(rerank=Rerank(candidates=1, chunks=9)))
    assert sorted(library.reranker.read) == sorted(f"Fire\n{text}" for text in PAGES["fire"])


async def test_what_was_not_read_follows_by_what_is_known_of_it(library: Library) -> None:
    hits = await library.ask(QUESTION, explain=True, overrides=Overrides(rerank=Rerank(candidates=1)))
    assert [hit.id for hit in hits] == [hit.id for hit in await library.ask(QUESTION)]
    assert ["rerank" in hit.reasons.contributions for hit in hits] == [True, False, False]


async def test_chunks_can_be_reranked_too(library: Library) -> None:
    hits = await library.ask(QUESTION, group=False, overrides=Overrides(rerank=Rerank(weight=40)))
    assert hits[0].payload["text"] == "a bulb glows"


@pytest.mark.parametrize("fault", ["away", "slow"])
async def test_without_it_the_order_stays_and_the_answer_says_so(library: Library, fault: str) -> None:
    library.reranker.away = fault == "away"
    library.reranker.wait_s = 30.0 if fault == "slow" else 0.0
    overrides = Overrides(rerank=Rerank(weight=40, chunks=4, timeout_ms=20))
    answer = await library.service.search_text(reads("docs"), TextSearch(query=QUESTION, overrides=overrides))
    assert answer.degraded == {"rerank": WHY[fault]}
    assert answer.hits == await library.ask(QUESTION)
    assert set(answer.stages_ms) == {"embed", "engine", "rerank", "assemble"}


async def test_it_is_asked_by_modes_that_fuse_scores_and_when_it_has_a_weight(library: Library) -> None:
    library.profile_searches(rerank=Rerank(chunks=4, weight=40))
    assert (await library.ask(QUESTION))[0].id == "lamp"
    for given in (
        {"mode": "hybrid"}, {"mode": "sparse"}, {"overrides": Overrides(fusion=Rrf())},
        {"overrides": Overrides(rerank=Rerank(weight=0))},
    ):  # fmt: skip
        library.reranker.read = []
        await library.ask(QUESTION, **given)
        assert library.reranker.read == []
    assert (await library.ask(QUESTION, overrides=Overrides(fusion=Scores(dense=2))))[0].id == "lamp"
    assert await library.ask("zyzzyva", overrides=Overrides(fusion=Scores(dense=0, document_dense=0))) == []


async def test_the_best_mode_asks_the_reranker_by_the_profile_s_settings_or_its_own(library: Library) -> None:
    await library.ask(QUESTION, mode="best")
    assert len(library.reranker.read) == 3
    library.profile_searches(rerank=Rerank(chunks=4, weight=40))
    assert (await library.ask(QUESTION, mode="best"))[0].id == "lamp"
    assert await library.ask(QUESTION, mode="best") == await library.ask(QUESTION)
