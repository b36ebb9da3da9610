"""Which adapter serves which port; with its parts *_wiring.py the only one that imports adapters. No feature is decided here."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from vectis import __version__
from vectis.access.addresses import Networks
from vectis.access.admission import Admission, AdmissionRules
from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.durable.queue import LedgerQueue
from vectis.adapters.durable.runner import LeaseRunner
from vectis.adapters.durable.seat import Seat
from vectis.adapters.edge.bm25 import EdgeBm25
from vectis.adapters.edge.client import EdgeEngine
from vectis.adapters.edge.versions import SharedVersions
from vectis.adapters.minilm.weights import install_weights
from vectis.adapters.prometheus.engine_stats import EngineStats
from vectis.adapters.prometheus.exchange import MetricsExchange
from vectis.adapters.prometheus.job_queues import JobQueues
from vectis.adapters.prometheus.metrics import COST_TODAY, FILTER_KEYS, Counts, ProcessMetrics
from vectis.adapters.prometheus.rollout_standings import RolloutStandings
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.system.clock import SystemClock
from vectis.adapters.system.machine import Machine
from vectis.catalog.jobs import optimize_handler, removal_handler
from vectis.catalog.profiles import Recipes
from vectis.catalog.service import OPTIMIZE, REMOVE_COLLECTION, CatalogService
from vectis.domain.access import SYSTEM, Pass, Permission, authorize
from vectis.domain.divergences import Divergences
from vectis.domain.embedders import Embedders
from vectis.domain.errors import EmbedderUnavailable, EngineUnavailable, InvalidInput, StoreUnavailable
from vectis.domain.limits import Policy
from vectis.domain.measurements import FilterUse
from vectis.domain.ports.control import Connections
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.ports.engine import Engine
from vectis.domain.ports.generator import Generator
from vectis.domain.ports.jobs import JobHandlers, JobRunner
from vectis.domain.ports.limits import RateLimiter
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.ports.reranker import Reranker
from vectis.ingest.indexer import Indexer
from vectis.ingest.jobs import REFIT, index_now, ingest_handler, refit_handler, refit_now
from vectis.ingest.service import INGEST, IngestService
from vectis.ingest.survey import Surveyor
from vectis.jobs.expiry import EXPIRE_JOBS, expiry_handler
from vectis.jobs.service import JobService
from vectis.operations.caches import CacheDesk
from vectis.points.service import PointLimits, PointService
from vectis.rollouts.building import ROLLOUT_BUILD, CandidateBuilder
from vectis.rollouts.estimating import Estimator
from vectis.rollouts.keeping import needed_by_rollouts, rollout_at_work
from vectis.rollouts.reconciler import Reconciler
from vectis.rollouts.service import RolloutService
from vectis.rollouts.witness import Witness
from vectis.runtime.access_wiring import audit_key, look_after_access, make_access, open_audit
from vectis.runtime.cache_wiring import DOCUMENTS_LOOKUP_S, QUERY_LOOKUP_S, Caches, cache_figures
from vectis.runtime.configuration.link import SupervisorLink
from vectis.runtime.configuration.loading import Configuration
from vectis.runtime.configuration.running import RunningConfiguration
from vectis.runtime.embedder_wiring import open_embedders, price_per_token
from vectis.runtime.engine_wiring import open_engine
from vectis.runtime.paths import FolderLayout
from vectis.runtime.probes import readiness
from vectis.runtime.ranking_wiring import make_hypotheses, open_generator, open_reranker
from vectis.runtime.rollout_wiring import RolloutAudit, make_judging, noted, open_hooks, rollout_standings
from vectis.runtime.schedule_wiring import fire_schedules, make_schedules
from vectis.runtime.services import Services
from vectis.runtime.settings import LimitSettings, Settings
from vectis.runtime.store_wiring import open_control_store
from vectis.runtime.traffic_wiring import AskedAgain, make_feedback, make_search, open_asked_again, open_traffic
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.service import SearchService


class Worker(msgspec.Struct, frozen=True):
    """What the worker process runs."""

    runner: JobRunner
    handlers: JobHandlers
    reconciler: Reconciler


class _Parts(msgspec.Struct, frozen=True):
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


@asynccontextmanager
async def open_services(configuration: Configuration, *, process: str) -> AsyncGenerator[Services]:
    """The features of one API process, opened on entry and closed in reverse on exit."""
    settings = configuration.settings
    paths = FolderLayout(Path(settings.server.data_dir))
    async with AsyncExitStack() as stack:
        parts = await _open_parts(stack, settings, paths, process)
        if settings.embedder.kind == "minilm":
            with suppress(EmbedderUnavailable):  # said already
                embedder = await parts.embedders.of(parts.embedders.usual)
                await embedder.embed_query("")  # loads the model now and not at the first question
        caches = Caches(stack, settings, parts.clock, parts.metrics)
        embeddings = await caches.embeddings(parts.store, lookup_s=QUERY_LOOKUP_S)
        access = make_access(settings.access, paths, parts.store, parts.clock, parts.metrics)
        await look_after_access(stack, settings.server, access.authenticator)
        traffic = await open_traffic(stack, parts.metrics, parts.store, parts.clock, process=process)
        answers = await caches.answers(parts.directory, parts.versions, traffic)
        divergences = Divergences(parts.store, parts.clock)
        key = await audit_key(settings.audit, paths)
        admission = _admission(settings.limits, parts, await caches.limiter())
        again = open_asked_again(stack, settings, parts.metrics, parts.directory, traffic, parts.clock, admission)
        yield Services(
            catalog=parts.catalog,
            points=PointService(
                directory=parts.directory, engine=parts.engine, divergences=divergences, limits=PointLimits()
            ),
            ingest=IngestService(
                store=parts.store,
                directory=parts.directory,
                queue=parts.queue,
                divergences=divergences,
                clock=parts.clock,
            ),
            search=_search(settings, parts, embeddings, traffic, again),
            readiness=readiness(
                parts.store,
                parts.engine,
                parts.embedders,
                parts.clock,
                machine=Machine(paths.folder, parts.clock).probes(),
                link=SupervisorLink(paths.supervisor_socket),
            ),
            connections=lambda by: _connections(parts, by),
            schedules=make_schedules(parts.store, parts.clock),
            jobs=JobService(ledger=parts.store, clock=parts.clock),
            rollouts=_rollouts(settings, parts, embeddings),
            configuration=RunningConfiguration(configuration),
            admission=admission,
            audit=open_audit(stack, key, parts.store, parts.clock, parts.metrics),
            feedback=make_feedback(key, parts.directory, parts.store, parts.clock),
            access=access.service,
            logins=access.logins,
            authenticate=access.authenticator.authenticate,
            answers=answers,
            caches=CacheDesk(answers, embeddings, lambda: cache_figures(parts.exchange)),
            observe=parts.metrics.observe_request,
            metrics=lambda by: _render_metrics(parts, by),
            filter_uses=lambda collection: _filter_uses(parts, collection),
            logs_requests=settings.log.requests,
            body_bytes_max=settings.server.body_bytes_max,
            query_bytes_max=settings.limits.query_bytes_max,
        )


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncGenerator[Worker]:
    """The worker: the catalog brought in step with the engine, and every job kind with its handler."""
    paths = FolderLayout(Path(settings.server.data_dir))
    async with AsyncExitStack() as stack:
        parts = await _open_parts(stack, settings, paths, settings.jobs.name)
        await parts.catalog.reconcile(authorize(SYSTEM, Permission.SYSTEM_CONFIG))
        seat = Seat(
            name=settings.jobs.name,
            jobs_max=settings.jobs.concurrency,
            queues=settings.jobs.queue_names(),
            limits=settings.jobs.limits(),
            attempts_max=settings.jobs.attempts_max,
            stop_s=settings.jobs.stop_timeout_s,
        )
        runner = LeaseRunner(parts.store, seat, parts.clock, parts.metrics.observe_job)
        caches = Caches(stack, settings, parts.clock, parts.metrics)
        embeddings = await caches.embeddings(parts.store, lookup_s=DOCUMENTS_LOOKUP_S)
        indexer = Indexer(
            store=parts.store,
            points=parts.engine,
            embedders=parts.embedders,
            embeddings=embeddings,
            sparse=parts.bm25,
        )
        builder = CandidateBuilder(
            store=parts.store,
            collections=parts.catalog,
            points=parts.engine,
            index=partial(index_now, indexer),
            refit=partial(refit_now, indexer),
            queue=parts.queue,
            clock=parts.clock,
        )
        handlers = {
            INGEST: ingest_handler(indexer, parts.queue, parts.clock),
            REFIT: refit_handler(indexer),
            OPTIMIZE: optimize_handler(parts.catalog),
            REMOVE_COLLECTION: removal_handler(parts.catalog),
            EXPIRE_JOBS: expiry_handler(parts.store, parts.clock, timedelta(days=settings.jobs.keep_days)),
            ROLLOUT_BUILD: builder.fill,
        }
        validator, judge = make_judging(
            parts.store, parts.engine, _search(settings, parts, embeddings, parts.metrics, AskedAgain()), parts.clock
        )
        key = await audit_key(settings.audit, paths)
        trail = open_audit(stack, key, parts.store, parts.clock, parts.metrics)
        reconciler = Reconciler(
            worker=settings.jobs.name,
            store=parts.store,
            collections=parts.catalog,
            builder=builder,
            validator=validator,
            judge=judge,
            hooks=await open_hooks(stack, settings.rollouts, paths),
            witness=Witness(RolloutAudit(trail, parts.store), parts.clock),
            clock=parts.clock,
            note=noted,
        )
        await fire_schedules(stack, parts.store, parts.clock)
        yield Worker(runner, handlers, reconciler)


async def install_model(name: str) -> str:
    """Install model weights by name; gives what was installed. Raises InvalidInput, EmbedderUnavailable."""
    if name != "minilm":
        raise InvalidInput(f"model: there is no model called {name!r}; there is minilm", field="model")
    weights = await install_weights()
    return f"{weights.model} (SHA-256 {weights.revision})"


async def _open_parts(stack: AsyncExitStack, settings: Settings, paths: FolderLayout, process: str) -> _Parts:
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
    return _Parts(
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


def _search(
    settings: Settings, parts: _Parts, embeddings: EmbeddingCache, log: MeasurementLog, again: AskedAgain
) -> SearchService:
    asked = QueryEmbeddings(parts.embedders, embeddings)
    hypotheses = make_hypotheses(settings.generator, parts.generator, asked, parts.store, parts.clock, parts.metrics)
    return make_search(
        settings, parts.directory, parts.engine, asked, hypotheses, parts.bm25, parts.reranker, parts.clock, log, again
    )


def _rollouts(settings: Settings, parts: _Parts, embeddings: EmbeddingCache) -> RolloutService:
    return RolloutService(
        store=parts.store,
        collections=parts.catalog,
        embedders=parts.embedders,
        estimator=Estimator(
            store=parts.store,
            points=parts.engine,
            sample=Surveyor(parts.store, parts.embedders, embeddings).survey,
            price_per_token=price_per_token(settings.embedder),
        ),
        clock=parts.clock,
        hook_urls=settings.rollouts.addresses(),
    )


def _admission(limits: LimitSettings, parts: _Parts, limiter: RateLimiter) -> Admission:
    admission = Admission(
        AdmissionRules(
            trusted_proxies=Networks(limits.trusted_proxies, setting="limits.trusted_proxies"),
            allowed=Networks(limits.allowed_addresses, setting="limits.allowed_addresses"),
            concurrent_max=limits.concurrent_max,
            per_ip=_policy("per_ip", limits.per_ip_requests, limits.per_ip_window_s),
            per_key=_policy("per_key", limits.per_key_requests, limits.per_key_window_s),
            vector_api=_policy(
                "vector_api", limits.vector_api_requests, limits.vector_api_window_s, burst=limits.vector_api_burst
            ),
        ),
        limiter,
    )
    parts.metrics.export_counts("vectis_requests", "Requests turned away", lambda: {"shed_total": admission.shed})
    return admission


def _policy(name: str, requests: int, window_s: float, *, burst: int | None = None) -> Policy | None:
    return Policy(name, requests, window_s, requests if burst is None else burst) if requests else None


def _connections(parts: _Parts, by: Pass) -> Connections:
    by.require(Permission.VIEW_METRICS)
    return parts.store.connections()


async def _render_metrics(parts: _Parts, by: Pass) -> bytes:
    """A part that does not answer leaves its metrics out; readiness says that it does not."""
    by.require(Permission.VIEW_METRICS)
    more: list[Counts | EngineStats | JobQueues | RolloutStandings] = []
    with suppress(StoreUnavailable):
        spent = await parts.store.spent(parts.clock.now().date())
        more.append(Counts("vectis_hyde", COST_TODAY, lambda: {"cost_today": spent}))
        more.append(JobQueues(await parts.store.job_stats(parts.clock.now())))
        more.append(await rollout_standings(parts.store, parts.clock.now()))
    if isinstance(parts.engine, EdgeEngine):
        with suppress(EngineUnavailable):
            more.append(EngineStats(await parts.engine.stats()))
    return await parts.exchange.render(*more)


async def _filter_uses(parts: _Parts, collection: str) -> dict[str, FilterUse]:
    uses: dict[str, FilterUse] = {}
    counted = await parts.exchange.total(FILTER_KEYS, "collection", "key", "indexed")
    for (filtered, key, indexed), count in counted.items():
        if filtered == collection:
            known, without = uses.get(key, FilterUse()), int(count) if indexed == "no" else 0
            uses[key] = FilterUse(known.searches + int(count), known.unindexed + without)
    return uses
