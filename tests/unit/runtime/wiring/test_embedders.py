"""Which embedders a server has, by its settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from vectis.adapters.minilm.source import USUAL
from vectis.domain.embedders import Embedders
from vectis.domain.errors import EmbedderUnavailable
from vectis.domain.profiles import EmbeddingProfile
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import EmbedderSettings
from vectis.runtime.wiring.embedders import open_embedders, price_of, price_per_token

ENDPOINT = EmbedderSettings(kind="openai", url="http://127.0.0.1:1/v1", model="m", dimension=8, threads=1)


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Embedders]:
    """Those of a server with an endpoint, which is away."""
    async with AsyncExitStack() as stack:
        yield await open_embedders(stack, ENDPOINT, FolderLayout(tmp_path))


async def test_minilm_still_answers_beside_an_endpoint(beside: Embedders) -> None:
    assert beside.usual == EmbeddingProfile("m", "m", 8, 8191)
    assert len(await (await beside.of(USUAL)).embed_query("lever")) == USUAL.dimension
    assert (await beside.of(EmbeddingProfile("another", "another", 16, 100))).profile.dimension == 16


async def test_a_server_without_a_model_says_which_setting(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        none = await open_embedders(stack, EmbedderSettings(kind="none"), FolderLayout(tmp_path))
        with pytest.raises(EmbedderUnavailable, match=r"embedder\.kind"):
            await none.of(none.usual)


async def test_missing_weights_stop_no_start(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        missing = EmbedderSettings(weights_dir=str(tmp_path / "none"))
        embedders = await open_embedders(stack, missing, FolderLayout(tmp_path))
        with pytest.raises(EmbedderUnavailable, match="models install minilm"):
            await embedders.of(embedders.usual)


@pytest.mark.parametrize(
    ("settings", "local", "remote"),
    [(ENDPOINT, 0.0, None), (EmbedderSettings(kind="openai", price_per_million_tokens=20.0), 0.0, 2e-5)],
)
def test_only_an_endpoint_costs_money(settings: EmbedderSettings, local: float, remote: float | None) -> None:
    price, endpoint = price_per_token(settings), EmbeddingProfile("m", "m", 8, 8191)
    assert (price(USUAL), price(endpoint)) == (local, remote)
    cost = price_of(settings)
    assert cost(USUAL, "a lever") == 0
    assert cost(endpoint, "a lever") == pytest.approx(3 * (remote or 0.0))
