"""What the port Reranker promises, held against every adapter."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from crossencoder_model import write_model
from rerank_endpoint import RerankEndpoint

from vectis.adapters.absent.reranker import AbsentReranker
from vectis.adapters.crossencoder.reranker import CrossEncoderReranker
from vectis.adapters.openai.reranker import EndpointReranker
from vectis.domain.errors import RerankerUnavailable
from vectis.domain.ports.reranker import Reranker

QUERY = "what is a lever"
TEXTS = ["ice glacier", "a lever is a beam on a fulcrum", "", "a load", "beam " * 2_000, "lever \ud800 load"]


@pytest.fixture(params=["http", "cross_encoder"])
async def reranker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reranker]:
    if request.param == "cross_encoder":
        made: Reranker = CrossEncoderReranker(write_model(tmp_path), threads=1, max_tokens=64)
        yield made
        await made.close()
    else:
        async with RerankEndpoint().serving() as url:
            made = EndpointReranker(url, "", "words")
            yield made
            await made.close()


async def test_one_score_per_text_in_order_and_higher_is_better(reranker: Reranker) -> None:
    scores = await reranker.scores(QUERY, TEXTS)
    assert len(scores) == len(TEXTS)
    assert max(scores) == scores[1]
    assert scores[5] > scores[0] == scores[2] == scores[4]


async def test_scores_are_those_of_each_text_alone(reranker: Reranker) -> None:
    many = TEXTS * 5
    together = await reranker.scores(QUERY, many)
    backwards = await reranker.scores(QUERY, many[::-1])
    assert together == backwards[::-1] == [(await reranker.scores(QUERY, [text]))[0] for text in many]


async def test_no_texts_have_no_scores(reranker: Reranker) -> None:
    assert await reranker.scores(QUERY, []) == []


async def test_callers_at_once_get_their_own_answers(reranker: Reranker) -> None:
    answers = await asyncio.gather(
        *(reranker.scores(word, ["lever", "ice", "load"]) for word in ("lever", "ice", "load"))
    )
    assert [answer.index(max(answer)) for answer in answers] == [0, 1, 2]


async def test_one_that_is_closed_is_unavailable(reranker: Reranker) -> None:
    await reranker.close()
    with pytest.raises(RerankerUnavailable, match="stopping"):
        await reranker.scores(QUERY, TEXTS)


async def test_one_that_is_absent_is_unavailable_and_says_the_remedy() -> None:
    absent = AbsentReranker()
    with pytest.raises(RerankerUnavailable, match=r"reranker\.kind"):
        await absent.scores(QUERY, [])
    await absent.close()
