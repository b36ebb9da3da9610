"""The reranker against an endpoint that answers something else."""

from collections.abc import AsyncIterator

import pytest
from rerank_endpoint import RerankEndpoint

from vectis.adapters.openai.reranker import EndpointReranker
from vectis.domain.errors import InvalidSetting, RerankerUnavailable

ONE = '{"index": %s, "relevance_score": %s}'


@pytest.fixture
async def endpoint() -> RerankEndpoint:
    return RerankEndpoint()


@pytest.fixture
async def reranker(endpoint: RerankEndpoint) -> AsyncIterator[EndpointReranker]:
    async with endpoint.serving() as url:
        reranker = EndpointReranker(url, "sk-a-key", "words")
        yield reranker
        await reranker.close()


async def test_the_request_is_what_the_interface_asks_for(reranker: EndpointReranker, endpoint: RerankEndpoint) -> None:
    await reranker.scores("lever", ["a lever", "a load"])
    assert endpoint.asked == [{"query": "lever", "documents": ["a lever", "a load"], "top_n": 2, "model": "words"}]


@pytest.mark.parametrize(
    "results",
    [
        "",
        ONE % (0, 1),
        f"{ONE % (0, 1)}, {ONE % (2, 1)}",
        f"{ONE % (0, 1)}, {ONE % (1, '1e400')}",
        f"{ONE % (0, 1)}, {ONE % (1, '-1e300')}",
        '{"index": 0}',
    ],
)
async def test_an_answer_that_does_not_judge_each_document_is_an_error(
    reranker: EndpointReranker, endpoint: RerankEndpoint, results: str
) -> None:
    endpoint.answer = f'{{"results": [{results}]}}'.encode()
    with pytest.raises(RerankerUnavailable, match="rerank endpoint"):
        await reranker.scores("lever", ["a", "b"])


async def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    reranker = EndpointReranker("http://127.0.0.1:9/v1", "", "", deadline_s=1)
    with pytest.raises(RerankerUnavailable):
        await reranker.scores("lever", ["a"])
    await reranker.close()


def test_an_address_that_cannot_work_is_a_wrong_setting() -> None:
    with pytest.raises(InvalidSetting, match="no address of a rerank endpoint"):
        EndpointReranker("localhost", "", "")
