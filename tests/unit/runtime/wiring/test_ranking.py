"""Which model beside the embedder the settings lead to."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from crossencoder_model import write_model
from rerank_endpoint import RerankEndpoint

from vectis.domain.errors import GeneratorUnavailable, RerankerUnavailable
from vectis.runtime.settings import GeneratorSettings, RerankerSettings
from vectis.runtime.wiring.ranking import open_generator, open_reranker


async def test_a_server_has_none_unless_it_is_told() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(RerankerUnavailable):
            await (await open_reranker(stack, RerankerSettings())).scores("?", ["!"])
        with pytest.raises(GeneratorUnavailable):
            _ = open_generator(stack, GeneratorSettings()).model


async def test_rerankers_of_each_kind_are_opened_and_closed(tmp_path: Path) -> None:
    async with RerankEndpoint().serving() as url:
        for settings in (
            RerankerSettings(kind="http", url=url),
            RerankerSettings(kind="cross_encoder", folder=str(write_model(tmp_path)), threads=1),
        ):
            async with AsyncExitStack() as stack:
                reranker = await open_reranker(stack, settings)
                ice, lever = await reranker.scores("lever", ["ice", "lever"])
                assert ice < lever
            with pytest.raises(RerankerUnavailable, match="stopping"):
                await reranker.scores("lever", ["ice"])


async def test_a_generator_is_opened_and_closed() -> None:
    async with AsyncExitStack() as stack:
        generator = open_generator(stack, GeneratorSettings(url="http://127.0.0.1:9/v1", model="writer"))
        assert generator.model == "writer"
    with pytest.raises(GeneratorUnavailable, match="stopping"):
        await generator.complete("?", temperature=0, max_tokens=1)
