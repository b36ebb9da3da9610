"""Settings: one frozen record per owner. Where their values come from is configuration's.

Keys are VECTIS_<OWNER>__<FIELD>; the common keys of other tools are aliases. An unknown VECTIS_ key is an error.
"""

from typing import Literal

from vectis.domain.shapes import Shape
from vectis.runtime.secret import Secret, SecretUrl


class ServerSettings(Shape, frozen=True):
    """Where the server listens and keeps its data. `uds`: a Unix socket instead of host and port.

    `production`: what a team's server must have is then required, not assumed.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    uds: str = ""
    workers: int = 1
    data_dir: str = ".vectis"
    body_bytes_max: int = 33_554_432
    production: bool = False


class StoreSettings(Shape, frozen=True):
    """The control store. Empty: a SQLite file in the data folder.

    The pool is PostgreSQL's: `pool_size` connections kept by each process, `pool_overflow` more while all are in use, a wait
    of at most `pool_timeout_s` for one, each replaced when it is older than `pool_recycle_s`.
    """

    url: SecretUrl = SecretUrl()
    pool_size: int = 20
    pool_overflow: int = 30
    pool_timeout_s: float = 30.0
    pool_recycle_s: int = 3600


class EngineSettings(Shape, frozen=True):
    """`edge`: embedded, in an engine process. `qdrant`: a Qdrant server at `url`; chosen by itself when a url is given."""

    kind: Literal["", "edge", "qdrant"] = ""
    url: str = ""
    api_key: Secret = Secret()
    grpc: bool = True
    timeout_s: float = 10.0


class EmbedderSettings(Shape, frozen=True):
    """`minilm`: weights installed here. `openai`: an OpenAI-compatible endpoint at `url`. `none`: BM25 alone.

    `price_per_million_tokens` is what the endpoint asks; metrics tell what the cache saved of it.
    """

    kind: Literal["minilm", "openai", "none"] = "minilm"
    threads: int = 2
    weights_dir: str = ""
    url: str = "https://api.openai.com/v1"
    api_key: Secret = Secret()
    model: str = "text-embedding-3-small"
    dimension: int = 1536
    timeout_s: float = 30.0
    price_per_million_tokens: float = 0.0


class RerankerSettings(Shape, frozen=True):
    """What reads the first documents again where search settings say `rerank`. `none`: nothing does.

    `http`: an endpoint at `url`/rerank. `cross_encoder`: model.onnx and tokenizer.json in `folder`; a query and a text are cut
    to `max_tokens` together.
    """

    kind: Literal["none", "http", "cross_encoder"] = "none"
    url: str = ""
    api_key: Secret = Secret()
    model: str = ""
    folder: str = ""
    threads: int = 2
    max_tokens: int = 512


class GeneratorSettings(Shape, frozen=True):
    """A language model that writes hypothetical answers where search settings say `hyde`: an OpenAI-compatible endpoint.

    Questions are sent to it. Empty `url`: none. What was made of its answers is used for `cache_ttl_s` at most. With a price,
    all processes on one control store spend `cost_per_day_max` a day (UTC) at most together.
    """

    url: str = ""
    api_key: Secret = Secret()
    model: str = "gpt-3.5-turbo"
    price_per_million_tokens: float = 0.0
    cost_per_day_max: float = 1.0
    cache_ttl_s: float = 86_400.0


class CacheSettings(Shape, frozen=True):
    """What is kept so that no work is done twice. Nothing is when it is not `enabled`.

    `embeddings_*`: vectors of texts, `size` of them and for `ttl_s` in each process, `bytes` in the control store, by
    `precision`. `answers_*`: whole answers, `bytes` of them in each process (0: none), for `ttl_s` at most. Writes wait
    `write_after_s` to go together.

    `redis_*`: a server that processes share answers through, and servers the counts of limits; empty: none. Each process
    makes `redis_pool_min` connections before they are needed and at most `redis_pool_max`. Without an answer within
    `redis_timeout_s` it goes on without.
    """

    enabled: bool = True
    write_after_s: float = 5.0
    embeddings_size: int = 10_000
    embeddings_ttl_s: float = 7200.0
    embeddings_bytes: int = 268_435_456
    answers_bytes: int = 67_108_864
    answers_ttl_s: float = 600.0
    embeddings_precision: Literal["float32", "float16"] = "float32"
    redis_url: SecretUrl = SecretUrl()
    redis_pool_max: int = 100
    redis_pool_min: int = 10
    redis_connect_timeout_s: float = 5.0
    redis_timeout_s: float = 0.05


class SearchSection(Shape, frozen=True):
    """Bounds of one search request. `recall_sample_percent` of the queries are asked exactly too, in spare time (see traffic).

    A collection of which less than `recall_least` of the exact answers is found is searched harder. `shortcut_sample_percent`
    are asked without the engine's shortcuts too, which tells what these save.
    """

    limit_max: int = 1000
    batch_max: int = 100
    timeout_s: float = 30.0
    recall_sample_percent: float = 0.1
    recall_least: float = 0.95
    shortcut_sample_percent: float = 0.1


class TrafficSettings(Shape, frozen=True):
    """Queries that are asked again behind their answers: mirrored ones of rollouts, samples of recall and of shortcuts.

    They take `spare_share_percent` of an API process's time at most, and none while more than `spare_at_work_max` requests
    are at work in it. `keep_words`: a few mirrored queries whose answers differ most are kept in words, which may be personal;
    otherwise hashes are.
    """

    spare_share_percent: float = 10.0
    spare_at_work_max: int = 8
    keep_words: bool = False


class CatalogSettings(Shape, frozen=True):
    """Collections. A deleted one is removed after `grace_minutes`, until then `vectis collections undelete` brings it back."""

    grace_minutes: float = 60.0


class JobSettings(Shape, frozen=True):
    """Background work: `name` is the worker's stable name, under which it finds its unfinished jobs again; no two live workers
    of one control store may have the same.

    `concurrency`: jobs at a time in one worker process. `queues`: those it takes jobs from, empty for all. `queue_limits`: jobs
    of a queue at a time over all workers. After `stop_timeout_s` of an orderly end what still runs is handed back.
    Finished jobs are removed when they are older than `keep_days`.
    """

    name: str = "worker-1"
    concurrency: int = 1
    attempts_max: int = 5
    queues: str = ""
    queue_limits: str = "maintenance=1"
    stop_timeout_s: float = 8.0
    keep_days: float = 7.0

    def queue_names(self) -> tuple[str, ...]:
        """`queues` ("ingest, default") as names."""
        return tuple(name.strip() for name in self.queues.split(",") if name.strip())

    def limits(self) -> dict[str, int]:
        """`queue_limits` ("maintenance=1, ingest=4") as numbers. ValueError when it is not such a list."""
        parts = [part.partition("=") for part in self.queue_limits.split(",") if part.strip()]
        return {name.strip(): int(number) for name, _, number in parts}


class LimitSettings(Shape, frozen=True):
    """Who is let in, how many at once, how often. Networks are written as 10.0.0.0/8.

    `trusted_proxies`: whose X-Forwarded-For, X-Real-IP and X-Forwarded-Proto are believed. `allowed_addresses`: nobody else
    is let in; empty: everybody. `concurrent_max` requests are at work in one API process at a time. A rate of 0 requests is
    off. `per_ip` counts each address, `per_key` each key, `vector_api` each address on the vector routes; known callers on
    this machine are not counted by address.
    """

    trusted_proxies: tuple[str, ...] = ()
    allowed_addresses: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    concurrent_max: int = 1000
    query_bytes_max: int = 16_384
    per_ip_requests: int = 1000
    per_ip_window_s: float = 60.0
    per_key_requests: int = 0
    per_key_window_s: float = 3600.0
    vector_api_requests: int = 0
    vector_api_window_s: float = 1.0
    vector_api_burst: int = 10


class AuditSettings(Shape, frozen=True):
    """The audit. `key` seals its entries, the same for all servers of one store; empty: a secret kept in the data folder."""

    key: Secret = Secret()


class AccessSettings(Shape, frozen=True):
    """Keys and tokens. `key_secret` and `token_secret` are what they are made with: empty, a file of the data folder holds it.

    Servers that share one control store need the same `key_secret`. `key_environment` stands in each key, so that a key says
    where it belongs.
    """

    key_environment: str = "live"
    key_secret: Secret = Secret()
    token_secret: Secret = Secret()
    token_minutes: int = 30
    session_days: int = 30


class LogSettings(Shape, frozen=True):
    """`format` auto: readable on a terminal, JSON lines elsewhere and with a `file`.

    `file` gets what standard error gets, in the data folder when it is relative: at most `files_max` of `file_bytes_max` each,
    the older ones as `.1`, `.2` and so on. `requests`: a line for each request with how long it took.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    file: str = ""
    file_bytes_max: int = 10_485_760
    files_max: int = 3
    requests: bool = False


class RolloutSettings(Shape, frozen=True):
    """Webhooks that rollouts may ask: `hook_urls` are their whole addresses, separated by commas.

    `hook_secret` signs what they get: empty, a file of the data folder holds it.
    """

    hook_urls: str = ""
    hook_secret: Secret = Secret()

    def addresses(self) -> tuple[str, ...]:
        """`hook_urls` one by one."""
        return tuple(url.strip() for url in self.hook_urls.split(",") if url.strip())


class Settings(Shape, frozen=True):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    engine: EngineSettings = EngineSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    reranker: RerankerSettings = RerankerSettings()
    generator: GeneratorSettings = GeneratorSettings()
    cache: CacheSettings = CacheSettings()
    search: SearchSection = SearchSection()
    traffic: TrafficSettings = TrafficSettings()
    catalog: CatalogSettings = CatalogSettings()
    jobs: JobSettings = JobSettings()
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()
    access: AccessSettings = AccessSettings()
    rollouts: RolloutSettings = RolloutSettings()
    log: LogSettings = LogSettings()


LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that only this machine reaches."""

ALIASES: dict[str, tuple[str, str]] = {
    "API_HOST": ("server", "host"),
    "API_PORT": ("server", "port"),
    "QDRANT_PRODUCTION_MODE": ("server", "production"),
    "API_GATEWAY_PRODUCTION": ("server", "production"),
    "DATABASE_URL": ("store", "url"),
    "ASYNC_DATABASE_POOL_SIZE": ("store", "pool_size"),
    "ASYNC_DATABASE_MAX_OVERFLOW": ("store", "pool_overflow"),
    "ASYNC_DATABASE_POOL_TIMEOUT": ("store", "pool_timeout_s"),
    "ASYNC_DATABASE_POOL_RECYCLE": ("store", "pool_recycle_s"),
    "QDRANT_URL": ("engine", "url"),
    "QDRANT_API_KEY": ("engine", "api_key"),
    "OPENAI_API_KEY": ("embedder", "api_key"),
    "OPENAI_BASE_URL": ("embedder", "url"),
    "DEFAULT_EMBEDDING_MODEL": ("embedder", "model"),
    "EMBEDDING_MODEL": ("embedder", "model"),
    "ENABLE_CACHE": ("cache", "enabled"),
    "EMBEDDING_CACHE_SIZE": ("cache", "embeddings_size"),
    "EMBEDDING_CACHE_TTL": ("cache", "embeddings_ttl_s"),
    "REDIS_URL": ("cache", "redis_url"),
    "VECTOR_SEARCH_BATCH_SIZE": ("search", "batch_max"),
    "VECTOR_SEARCH_TIMEOUT": ("search", "timeout_s"),
    "MAX_CONCURRENT_REQUESTS": ("limits", "concurrent_max"),
    "API_RATE_LIMIT": ("limits", "per_ip_requests"),
    "RATE_LIMIT_REQUESTS": ("limits", "per_key_requests"),
    "RATE_LIMIT_WINDOW": ("limits", "per_key_window_s"),
    "CORS_ORIGINS": ("limits", "cors_origins"),
    "SECRET_KEY": ("access", "key_secret"),
    "API_KEY_SECRET": ("access", "key_secret"),
    "JWT_SECRET_KEY": ("access", "token_secret"),
    "ACCESS_TOKEN_EXPIRE_MINUTES": ("access", "token_minutes"),
    "LOG_LEVEL": ("log", "level"),
    "LOG_FORMAT": ("log", "format"),
    "LOG_FILE": ("log", "file"),
    "ENABLE_REQUEST_TRACING": ("log", "requests"),
}
"""Keys of other tools that are understood; a VECTIS_ key for the same field weighs more. With _FILE or _COMMAND at the end a
key says where the value is."""
