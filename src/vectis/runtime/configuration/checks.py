"""Whether settings can work together, all objections at once. Pure; whether the other side answers is connectivity's question."""

import re
from collections.abc import Iterator

import msgspec

from vectis.runtime.settings import AccessSettings, Settings

SECRET_MIN = 32


class Objection(msgspec.Struct, frozen=True):
    """A setting that cannot stay as it is: its key, what is wrong and what to do, and where the value came from."""

    key: str
    detail: str
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {self.detail}" + (f" ({self.origin})" if self.origin else "")


def objections(settings: Settings) -> Iterator[Objection]:
    """Everything that is wrong with the settings taken together."""
    yield from _ranges(settings)
    yield from _secrets(settings.access)
    if settings.engine.kind == "qdrant" and not settings.engine.url:
        yield Objection("engine.url", "say where the Qdrant server is, e.g. http://127.0.0.1:6333")
    if settings.reranker.kind == "http" and not settings.reranker.url:
        yield Objection("reranker.url", "say where the endpoint is, up to what comes before /rerank")
    if settings.reranker.kind == "cross_encoder" and not settings.reranker.folder:
        yield Objection("reranker.folder", "say which folder holds the model")
    try:
        settings.jobs.limits()
    except ValueError:
        yield Objection("jobs.queue_limits", f"{settings.jobs.queue_limits!r} is no list like maintenance=1, ingest=4")
    if settings.server.production:
        yield from _missing_in_production(settings)


def _ranges(settings: Settings) -> Iterator[Objection]:
    server, store, search, jobs = settings.server, settings.store, settings.search, settings.jobs
    limits = settings.limits
    cache = settings.cache
    bounds: dict[str, tuple[float, float, float]] = {
        "server.port": (server.port, 0, 65_535),
        "server.workers": (server.workers, 1, 64),
        "server.body_bytes_max": (server.body_bytes_max, 1024, 1 << 31),
        "store.pool_size": (store.pool_size, 1, 1000),
        "store.pool_overflow": (store.pool_overflow, 0, 1000),
        "store.pool_timeout_s": (store.pool_timeout_s, 0.1, 600),
        "store.pool_recycle_s": (store.pool_recycle_s, 1, 86_400),
        "engine.timeout_s": (settings.engine.timeout_s, 0.1, 600),
        "log.file_bytes_max": (settings.log.file_bytes_max, 65_536, 1 << 40),
        "log.files_max": (settings.log.files_max, 2, 1000),
        "embedder.threads": (settings.embedder.threads, 1, 256),
        "embedder.dimension": (settings.embedder.dimension, 1, 65_536),
        "embedder.timeout_s": (settings.embedder.timeout_s, 0.1, 600),
        "embedder.price_per_million_tokens": (settings.embedder.price_per_million_tokens, 0, 1_000_000),
        "reranker.threads": (settings.reranker.threads, 1, 256),
        "reranker.max_tokens": (settings.reranker.max_tokens, 16, 65_536),
        "generator.price_per_million_tokens": (settings.generator.price_per_million_tokens, 0, 1_000_000),
        "generator.cost_per_day_max": (settings.generator.cost_per_day_max, 0, 1_000_000),
        "generator.cache_ttl_s": (settings.generator.cache_ttl_s, 1, 31_536_000),
        "cache.write_after_s": (cache.write_after_s, 0.1, 600),
        "cache.embeddings_size": (cache.embeddings_size, 0, 10_000_000),
        "cache.embeddings_ttl_s": (cache.embeddings_ttl_s, 1, 31_536_000),
        "cache.answers_bytes": (cache.answers_bytes, 0, 1 << 40),
        "cache.answers_ttl_s": (cache.answers_ttl_s, 0.1, 31_536_000),
        "cache.redis_pool_max": (cache.redis_pool_max, 1, 10_000),
        "cache.redis_pool_min": (cache.redis_pool_min, 1, cache.redis_pool_max),
        "cache.redis_connect_timeout_s": (cache.redis_connect_timeout_s, 0.05, 60),
        "cache.redis_timeout_s": (cache.redis_timeout_s, 0.001, 5),
        "cache.embeddings_bytes": (cache.embeddings_bytes, 0, 1 << 44),
        "search.limit_max": (search.limit_max, 1, 100_000),
        "search.batch_max": (search.batch_max, 1, 10_000),
        "search.timeout_s": (search.timeout_s, 0.1, 600),
        "catalog.grace_minutes": (settings.catalog.grace_minutes, 0, 525_600),
        "jobs.concurrency": (jobs.concurrency, 1, 64),
        "limits.concurrent_max": (limits.concurrent_max, 1, 1_000_000),
        "limits.query_bytes_max": (limits.query_bytes_max, 256, 1 << 20),
        "limits.per_ip_requests": (limits.per_ip_requests, 0, 1_000_000_000),
        "limits.per_ip_window_s": (limits.per_ip_window_s, 0.1, 86_400),
        "limits.per_key_requests": (limits.per_key_requests, 0, 1_000_000_000),
        "limits.per_key_window_s": (limits.per_key_window_s, 0.1, 86_400),
        "limits.vector_api_requests": (limits.vector_api_requests, 0, 1_000_000_000),
        "limits.vector_api_window_s": (limits.vector_api_window_s, 0.1, 86_400),
        "limits.vector_api_burst": (limits.vector_api_burst, 1, 1_000_000),
        "jobs.attempts_max": (jobs.attempts_max, 1, 1000),
        "jobs.stop_timeout_s": (jobs.stop_timeout_s, 0, 3600),
        "jobs.keep_days": (jobs.keep_days, 0, 36_500),
        "access.token_minutes": (settings.access.token_minutes, 1, 1440),
        "access.session_days": (settings.access.session_days, 1, 3650),
    }
    for key, (value, low, high) in bounds.items():
        if not low <= value <= high:
            yield Objection(key, f"{value} is outside {low} to {high}")


def _secrets(access: AccessSettings) -> Iterator[Objection]:
    if not re.fullmatch("[a-z0-9]{1,16}", access.key_environment):
        yield Objection("access.key_environment", "1 to 16 lower-case letters and digits")
    for name, secret in (("key_secret", access.key_secret), ("token_secret", access.token_secret)):
        if secret and len(secret.reveal()) < SECRET_MIN:
            yield Objection(f"access.{name}", f"at least {SECRET_MIN} characters; `openssl rand -hex 32` makes one")


def _missing_in_production(settings: Settings) -> Iterator[Objection]:
    """A server of a team keeps nothing in one process's files, and knows its embedder."""
    if not settings.store.url.reveal().startswith("postgres"):
        yield Objection("store.url", "production needs a PostgreSQL database: set DATABASE_URL or store.url")
    if not settings.engine.url and settings.engine.kind != "qdrant":
        yield Objection("engine.url", "production needs a Qdrant server: set QDRANT_URL or engine.url")
    if settings.embedder.kind == "openai" and not settings.embedder.api_key:
        yield Objection("embedder.api_key", "production needs the endpoint's key: set OPENAI_API_KEY or its _FILE")
    if settings.log.level == "debug":
        yield Objection("log.level", "debug lines may hold what callers sent; production needs info or less")
