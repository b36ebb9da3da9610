"""Opens the caches of a process as the settings say: the part of wiring that is about them."""

from contextlib import AsyncExitStack

from vectis.adapters.absent.embeddings import NoEmbeddings
from vectis.adapters.cached.answers import CachedAnswers
from vectis.adapters.cached.embeddings import CachedEmbeddings, EmbeddingBounds
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.domain.ports.answers import AnswerCache
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.embedder import Embedder
from vectis.domain.ports.embeddings import EmbeddingCache, EmbeddingStore
from vectis.domain.ports.versions import Versions
from vectis.runtime.settings import Settings

QUERY_LOOKUP_S = 0.05
DOCUMENTS_LOOKUP_S = 10.0
"""How long the store is asked for vectors that are known, before they are computed."""


class Caches:
    """The caches of one process; `stack` closes them."""

    def __init__(self, stack: AsyncExitStack, settings: Settings, clock: Clock, metrics: ProcessMetrics) -> None:
        self._stack = stack
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def embeddings(self, store: EmbeddingStore, embedder: Embedder, *, lookup_s: float) -> EmbeddingCache:
        """The embedding cache over `store`; one that knows nothing when caches are off."""
        cache, price = self._settings.cache, self._settings.embedder.price_per_million_tokens
        if not cache.enabled:
            return NoEmbeddings()
        bounds = EmbeddingBounds(
            entries_max=cache.embeddings_size,
            ttl_s=cache.embeddings_ttl_s,
            bytes_max=cache.embeddings_bytes,
            precision=cache.embeddings_precision,
            write_after_s=cache.write_after_s,
            lookup_s=lookup_s,
        )
        embeddings = CachedEmbeddings(
            store, self._clock, bounds, lambda text: price and price * embedder.count_tokens(text) / 1e6
        )
        await embeddings.open()
        self._stack.push_async_callback(embeddings.close)
        self._metrics.export_counts("vectis_embedding_cache", "The cache of vectors", embeddings.counts)
        return embeddings

    async def answers(self, directory: Directory, versions: Versions) -> AnswerCache | None:
        """The answer cache; None when it is off."""
        cache = self._settings.cache
        if not (cache.enabled and cache.answers_bytes):
            return None
        answers = CachedAnswers(
            directory,
            versions,
            self._clock,
            self._metrics,
            None,
            bytes_max=cache.answers_bytes,
            ttl_s=cache.answers_ttl_s,
            look_every_s=cache.write_after_s,
        )
        await answers.open()
        self._stack.push_async_callback(answers.close)
        self._metrics.export_counts("vectis_answer_cache", "The cache of answers", answers.counts)
        return answers
