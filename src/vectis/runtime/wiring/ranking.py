"""Opens rerankers and generators: the models beside the embedder."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from vectis.adapters.absent.generator import AbsentGenerator
from vectis.adapters.absent.reranker import AbsentReranker
from vectis.adapters.crossencoder.reranker import CrossEncoderReranker
from vectis.adapters.openai.generator import EndpointGenerator
from vectis.adapters.openai.reranker import EndpointReranker
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.generator import Generator
from vectis.domain.ports.reranker import Reranker
from vectis.domain.ports.spending import SpendingStore
from vectis.runtime.settings import GeneratorSettings, RerankerSettings
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.hypothesis import Hypotheses, Spending


async def open_reranker(stack: AsyncExitStack, settings: RerankerSettings) -> Reranker:
    """The reranker as the settings say, closed by `stack`. Raises InvalidSetting."""
    reranker = await asyncio.to_thread(_make_reranker, settings)
    stack.push_async_callback(reranker.close)
    return reranker


def open_generator(stack: AsyncExitStack, settings: GeneratorSettings) -> Generator:
    """The generator as the settings say, closed by `stack`. Raises InvalidSetting."""
    if not settings.url:
        return AbsentGenerator()
    generator = EndpointGenerator(settings.url, settings.api_key.reveal(), settings.model)
    stack.push_async_callback(generator.close)
    return generator


def make_hypotheses(
    settings: GeneratorSettings,
    generator: Generator,
    embeddings: QueryEmbeddings,
    store: SpendingStore,
    clock: Clock,
    metrics: ProcessMetrics,
) -> Hypotheses:
    """What makes hypothetical answers, and counts in `store` what all of them cost."""
    spending = Spending(
        store,
        clock,
        price_per_million_tokens=settings.price_per_million_tokens,
        cost_per_day_max=settings.cost_per_day_max,
    )
    hypotheses = Hypotheses(generator, embeddings, spending, clock, ttl_s=settings.cache_ttl_s)
    metrics.export_counts("vectis_hyde", "Hypothetical answers", hypotheses.counts)
    return hypotheses


def _make_reranker(settings: RerankerSettings) -> Reranker:
    match settings.kind:
        case "none":
            return AbsentReranker()
        case "http":
            return EndpointReranker(settings.url, settings.api_key.reveal(), settings.model)
        case "cross_encoder":
            return CrossEncoderReranker(Path(settings.folder), threads=settings.threads, max_tokens=settings.max_tokens)
