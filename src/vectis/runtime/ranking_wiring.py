"""Opens what reads the first documents again: the part of wiring that is about models beside the embedder."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from vectis.adapters.absent.reranker import AbsentReranker
from vectis.adapters.crossencoder.reranker import CrossEncoderReranker
from vectis.adapters.openai.reranker import EndpointReranker
from vectis.domain.ports.reranker import Reranker
from vectis.runtime.settings import RerankerSettings


async def open_reranker(stack: AsyncExitStack, settings: RerankerSettings) -> Reranker:
    """The reranker as the settings say, closed by `stack`. Raises InvalidSetting."""
    reranker = await asyncio.to_thread(_make_reranker, settings)
    stack.push_async_callback(reranker.close)
    return reranker


def _make_reranker(settings: RerankerSettings) -> Reranker:
    match settings.kind:
        case "none":
            return AbsentReranker()
        case "http":
            return EndpointReranker(settings.url, settings.api_key.reveal(), settings.model)
        case "cross_encoder":
            return CrossEncoderReranker(Path(settings.folder), threads=settings.threads, max_tokens=settings.max_tokens)
