"""Opens the embedders that the settings name."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from vectis.adapters.minilm.source import USUAL, MiniLmSource
from vectis.adapters.minilm.weights import install_weights
from vectis.adapters.openai.source import OpenAiSource
from vectis.adapters.openai.tokens import estimate_tokens
from vectis.domain.embedders import Embedders
from vectis.domain.errors import EmbedderUnavailable, InvalidInput
from vectis.domain.profiles import EmbeddingProfile
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import EmbedderSettings

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("vectis.embedders")


async def open_embedders(stack: AsyncExitStack, settings: EmbedderSettings, paths: FolderLayout) -> Embedders:
    """The embedders of a process; `stack` closes them.

    Beside an endpoint MiniLM still answers for the collections that it was used for, where its weights are installed.
    """
    if settings.kind == "none":
        return Embedders(USUAL, (), without="it is switched off (embedder.kind is none)")
    weights = Path(settings.weights_dir) if settings.weights_dir else None
    minilm = MiniLmSource(weights, paths.models, threads=settings.threads)
    if settings.kind == "openai":
        endpoint = OpenAiSource(
            settings.url, settings.api_key.reveal(), settings.dimension, timeout_s=settings.timeout_s
        )
        embedders = Embedders(endpoint.usual(settings.model), (minilm, endpoint))
    else:
        embedders = Embedders(USUAL, (minilm,))
    stack.push_async_callback(embedders.close)
    try:
        await embedders.of(embedders.usual)
    except EmbedderUnavailable as error:
        log.warning("no_weights", detail=f"searching by BM25 alone: {error.message}")
    return embedders


def price_of(settings: EmbedderSettings) -> Callable[[EmbeddingProfile, str], float]:
    """What embedding a text costs in money, by estimated tokens; nothing with a model that runs here or without a price."""
    price = price_per_token(settings)

    def cost(profile: EmbeddingProfile, text: str) -> float:
        of_token = price(profile)
        return of_token * estimate_tokens(text) if of_token else 0.0

    return cost


def price_per_token(settings: EmbedderSettings) -> Callable[[EmbeddingProfile], float | None]:
    """What a token costs in money: nothing with a model that runs here, None at an endpoint without a price."""
    price = settings.price_per_million_tokens / 1e6 or None
    return lambda profile: 0.0 if profile.model == USUAL.model else price


async def install_model(name: str) -> str:
    """Install model weights by name; gives what was installed. Raises InvalidInput, EmbedderUnavailable."""
    if name != "minilm":
        raise InvalidInput(f"model: there is no model called {name!r}; there is minilm", field="model")
    weights = await install_weights()
    return f"{weights.model} (SHA-256 {weights.revision})"
