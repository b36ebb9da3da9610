"""The adapters of one process, and what API processes and workers alike build from them."""

from contextlib import AsyncExitStack

import msgspec

from vectis import __version__
from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.durable.queue import LedgerQueue
from vectis.adapters.edge.bm25 import EdgeBm25
from vectis.adapters.edge.versions import SharedVersions
from vectis.adapters.prometheus.exchange import MetricsExchange
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.system.clock import SystemClock
from vectis.catalog.profiles import Recipes
from vectis.catalog.service import CatalogService
from vectis.domain.embedders import Embedders
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.ports.engine import Engine
from vectis.domain.ports.generator import Generator
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.ports.reranker import Reranker
from vectis.rollouts.keeping import needed_by_rollouts, rollout_at_work
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import Settings
from vectis.runtime.wiring.embedders import open_embedders
from vectis.runtime.wiring.engine import open_engine
from vectis.runtime.wiring.ranking import make_hypotheses, open_generator, open_reranker
from vectis.runtime.wiring.store import open_control_store
from vectis.search.answering import Answering
from vectis.search.behind import Behind
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.filter_indexes import FilterIndexes
from vectis.search.interleaving import Interleaving
from vectis.search.plan import SearchLimits
from vectis.search.service import SearchService


class Parts(msgspec.Struct, frozen=True):
    """The adapters of one process and what both roles build from them."""

    store: SqlStore
    engine: Engine
    embedders: Embedders
    reranker: Reranker
    generator: Generator
    bm25: EdgeBm25
    clock: SystemClock
    versions: SharedVersions
    directory: CachedDirectory
    queue: LedgerQueue
    catalog: CatalogService
    metrics: ProcessMetrics
    exchange: MetricsExchange


async def open_parts(stack: AsyncExitStack, settings: Settings, paths: FolderLayout, process: str) -> Parts:
    clock = SystemClock()
    metrics = ProcessMetrics(__version__)
    exchange = MetricsExchange(paths.metrics, process, metrics.registry)
    await exchange.open()
    stack.push_async_callback(exchange.close)
    store = await open_control_store(settings, paths)
    stack.push_async_callback(store.close)
    engine = await open_engine(stack, settings.engine, paths)
    embedders = await open_embedders(stack, settings.embedder, paths)
    versions = SharedVersions(paths.versions, counted=settings.engine.kind == "edge")
    directory = CachedDirectory(store, clock, versions)
    queue = LedgerQueue(store, clock)
    catalog = CatalogService(
        store=store,
        queue=queue,
        admin=engine,
        directory=directory,
        recipes=Recipes(embedders),
        clock=clock,
        grace_minutes=settings.catalog.grace_minutes,
        keepers=(needed_by_rollouts(store),),
        at_work_on=rollout_at_work(store),
    )
    return Parts(
        store=store,
        engine=engine,
        embedders=embedders,
        reranker=await open_reranker(stack, settings.reranker),
        generator=open_generator(stack, settings.generator),
        bm25=EdgeBm25(),
        clock=clock,
        versions=versions,
        directory=directory,
        queue=queue,
        catalog=catalog,
        metrics=metrics,
        exchange=exchange,
    )


def search_of(
    settings: Settings,
    parts: Parts,
    embeddings: EmbeddingCache,
    log: MeasurementLog,
    behind: Behind | None = None,
    interleaving: Interleaving | None = None,
) -> SearchService:
    """Search of one process, which writes to `log`. Without the last two it answers each query once and from one collection."""
    asked = QueryEmbeddings(parts.embedders, embeddings)
    limits = SearchLimits(
        limit_max=settings.search.limit_max, batch_max=settings.search.batch_max, timeout_s=settings.search.timeout_s
    )
    answering = Answering(
        reader=parts.engine,
        indexes=FilterIndexes(parts.engine, parts.clock),
        reranker=parts.reranker,
        embeddings=asked,
        hypotheses=make_hypotheses(settings.generator, parts.generator, asked, parts.store, parts.clock, parts.metrics),
        sparse=parts.bm25,
        clock=parts.clock,
        limits=limits,
    )
    return SearchService(
        directory=parts.directory,
        answering=answering,
        log=log,
        clock=parts.clock,
        behind=behind,
        interleaving=interleaving,
        limits=limits,
    )
