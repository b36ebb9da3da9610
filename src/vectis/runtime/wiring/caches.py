"""Opens the caches of a process as the settings say."""

from contextlib import AsyncExitStack, suppress
from hashlib import blake2b

from vectis import __version__
from vectis.adapters.absent.embeddings import NoEmbeddings
from vectis.adapters.cached.answers import CachedAnswers
from vectis.adapters.cached.embeddings import CachedEmbeddings, EmbeddingBounds
from vectis.adapters.memory.limiter import MemoryLimiter
from vectis.adapters.prometheus.exchange import MetricsExchange
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.redis.answers import RedisAnswers
from vectis.adapters.redis.limiter import RedisLimiter
from vectis.adapters.redis.link import LinkBounds, RedisLink
from vectis.domain.errors import StoreUnavailable
from vectis.domain.ports.answers import AnswerCache, AnswerTier
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.embeddings import EmbeddingCache, EmbeddingStore
from vectis.domain.ports.limits import RateLimiter
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.ports.versions import Versions
from vectis.runtime.settings import Settings
from vectis.runtime.wiring.embedders import price_of

QUERY_LOOKUP_S = 0.05
DOCUMENTS_LOOKUP_S = 10.0
"""How long the store is asked for vectors that are known, before they are computed."""

METRICS = {
    "answers": "vectis_answer_cache",
    "tier": "vectis_answer_tier",
    "embeddings": "vectis_embedding_cache",
    "redis": "vectis_redis",
}
"""Each cache and what its metrics begin with."""


async def cache_figures(exchange: MetricsExchange, store: EmbeddingStore) -> dict[str, dict[str, float]]:
    """What all processes of this server count about each cache, and what the store holds for all of them, if it answers."""
    figures = {name: await exchange.sums(f"{prefix}_") for name, prefix in METRICS.items()}
    if figures["embeddings"]:  # else caches are off
        with suppress(StoreUnavailable):
            figures["embeddings"] |= await stored_figures(store)
    return figures


async def stored_figures(store: EmbeddingStore) -> dict[str, float]:
    """What the store holds of the embedding cache. StoreUnavailable."""
    usage = await store.embedding_usage()
    return {"stored_entries": usage.entries, "stored_bytes": usage.bytes}


class Caches:
    """The caches of one process; `stack` closes them."""

    def __init__(self, stack: AsyncExitStack, settings: Settings, clock: Clock, metrics: ProcessMetrics) -> None:
        self._stack = stack
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._link: RedisLink | None = None

    async def embeddings(self, store: EmbeddingStore, *, lookup_s: float) -> EmbeddingCache:
        """The embedding cache over `store`; one that knows nothing when caches are off."""
        cache = self._settings.cache
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
        embeddings = CachedEmbeddings(store, self._clock, bounds, price_of(self._settings.embedder))
        await embeddings.open()
        self._stack.push_async_callback(embeddings.close)
        self._metrics.export_counts(METRICS["embeddings"], "The cache of vectors", embeddings.counts)
        return embeddings

    async def answers(self, directory: Directory, versions: Versions, log: MeasurementLog) -> AnswerCache | None:
        """The answer cache, which writes its hits to `log`; None when it is off."""
        cache = self._settings.cache
        if not (cache.enabled and cache.answers_bytes):
            return None
        answers = CachedAnswers(
            directory,
            versions,
            self._clock,
            log,
            await self._tier(),
            bytes_max=cache.answers_bytes,
            ttl_s=cache.answers_ttl_s,
            look_every_s=cache.write_after_s,
        )
        await answers.open()
        self._stack.push_async_callback(answers.close)
        self._metrics.export_counts(METRICS["answers"], "The cache of answers", answers.counts)
        return answers

    async def limiter(self) -> RateLimiter:
        """Counts requests: together with the other processes and servers where they share a Redis server, else alone."""
        link, nearby = await self._shared(), MemoryLimiter(self._clock)
        if link is None:
            return nearby
        limiter = RedisLimiter(link, nearby)
        self._metrics.export_counts("vectis_limits", "Counting requests together", limiter.counts)
        return limiter

    async def _tier(self) -> AnswerTier | None:
        """Where the processes of this server share answers. What they are made by is in the names of their keys."""
        link, cache = await self._shared(), self._settings.cache
        if link is None:
            return None
        made_by = blake2b(f"{__version__} {self._settings!r}".encode(), digest_size=8).hexdigest()
        tier = RedisAnswers(
            link,
            self._clock,
            namespace=f"vectis:answer:{made_by}",
            ttl_s=cache.answers_ttl_s,
            write_after_s=cache.write_after_s,
        )
        await tier.open()
        self._stack.push_async_callback(tier.close)
        self._metrics.export_counts(METRICS["tier"], "The tier of answers that processes share", tier.counts)
        return tier

    async def _shared(self) -> RedisLink | None:
        """The link to the server that processes share things through; None without a URL."""
        cache = self._settings.cache
        if self._link is None and cache.redis_url:
            bounds = LinkBounds(
                pool_max=cache.redis_pool_max,
                pool_min=cache.redis_pool_min,
                connect_s=cache.redis_connect_timeout_s,
                answer_s=cache.redis_timeout_s,
            )
            self._link = RedisLink(cache.redis_url.reveal(), bounds)
            await self._link.open()
            self._stack.push_async_callback(self._link.close)
            self._metrics.export_counts(METRICS["redis"], "The link to the Redis server", self._link.counts)
        return self._link
