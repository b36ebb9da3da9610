"""What an API process is made of."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from vectis.access.addresses import Networks
from vectis.access.admission import Admission, AdmissionRules
from vectis.adapters.edge.client import EdgeEngine
from vectis.adapters.prometheus.engine_stats import EngineStats
from vectis.adapters.prometheus.gains import Gains
from vectis.adapters.prometheus.job_queues import JobQueues
from vectis.adapters.prometheus.metrics import COST_TODAY, FILTER_KEYS, STORED_VECTORS, Counts
from vectis.adapters.prometheus.rollout_standings import RolloutStandings
from vectis.adapters.system.machine import Machine
from vectis.domain.access import Pass, Permission
from vectis.domain.divergences import Divergences
from vectis.domain.errors import EmbedderUnavailable, EngineUnavailable, StoreUnavailable
from vectis.domain.limits import Policy
from vectis.domain.measurements import FilterUse
from vectis.domain.ports.control import Connections
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.ports.limits import RateLimiter
from vectis.evaluation.service import EvaluationService
from vectis.ingest.service import IngestService
from vectis.ingest.survey import Surveyor
from vectis.jobs.service import JobService
from vectis.operations.caches import CacheDesk
from vectis.points.service import PointLimits, PointService
from vectis.rollouts.estimating import Estimator
from vectis.rollouts.service import RolloutService
from vectis.runtime.configuration.link import SupervisorLink
from vectis.runtime.configuration.loading import Configuration
from vectis.runtime.configuration.running import RunningConfiguration
from vectis.runtime.paths import FolderLayout
from vectis.runtime.probes import readiness
from vectis.runtime.services import Services
from vectis.runtime.settings import LimitSettings, Settings
from vectis.runtime.wiring.access import audit_key, look_after_access, make_access, open_audit
from vectis.runtime.wiring.caches import METRICS, QUERY_LOOKUP_S, Caches, cache_figures, stored_figures
from vectis.runtime.wiring.embedders import price_per_token
from vectis.runtime.wiring.parts import Parts, open_parts, search_of
from vectis.runtime.wiring.rollouts import rollout_standings
from vectis.runtime.wiring.schedules import make_schedules
from vectis.runtime.wiring.traffic import make_feedback, make_interleaving, open_behind, open_traffic


@asynccontextmanager
async def open_services(configuration: Configuration, *, process: str) -> AsyncGenerator[Services]:
    """The features of one API process, opened on entry and closed in reverse on exit."""
    settings = configuration.settings
    paths = FolderLayout(Path(settings.server.data_dir))
    async with AsyncExitStack() as stack:
        parts = await open_parts(stack, settings, paths, process)
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
        behind = open_behind(
            stack, settings, parts.metrics, parts.directory, parts.engine, traffic, parts.clock, admission
        )
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
            search=search_of(
                settings, parts, embeddings, traffic, behind, make_interleaving(parts.metrics, parts.directory)
            ),
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
            evaluation=EvaluationService(store=parts.store, directory=parts.directory, clock=parts.clock),
            access=access.service,
            logins=access.logins,
            authenticate=access.authenticator.authenticate,
            answers=answers,
            caches=CacheDesk(answers, embeddings, lambda: cache_figures(parts.exchange, parts.store)),
            observe=parts.metrics.observe_request,
            metrics=lambda by: _render_metrics(parts, by),
            filter_uses=lambda collection: _filter_uses(parts, collection),
            logs_requests=settings.log.requests,
            body_bytes_max=settings.server.body_bytes_max,
            query_bytes_max=settings.limits.query_bytes_max,
        )


def _rollouts(settings: Settings, parts: Parts, embeddings: EmbeddingCache) -> RolloutService:
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


def _admission(limits: LimitSettings, parts: Parts, limiter: RateLimiter) -> Admission:
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


def _connections(parts: Parts, by: Pass) -> Connections:
    by.require(Permission.VIEW_METRICS)
    return parts.store.connections()


async def _render_metrics(parts: Parts, by: Pass) -> bytes:
    """A part that does not answer leaves its metrics out; readiness says that it does not."""
    by.require(Permission.VIEW_METRICS)
    more: list[Counts | EngineStats | Gains | JobQueues | RolloutStandings] = []
    with suppress(StoreUnavailable):
        spent = await parts.store.spent(parts.clock.now().date())
        more.append(Counts("vectis_hyde", COST_TODAY, lambda: {"cost_today": spent}))
        stored = await stored_figures(parts.store)
        more.append(Counts(METRICS["embeddings"], STORED_VECTORS, lambda: stored))
        more.append(JobQueues(await parts.store.job_stats(parts.clock.now())))
        more.append(await rollout_standings(parts.store, parts.clock.now()))
        more.append(Gains(await parts.store.all_gains()))
    if isinstance(parts.engine, EdgeEngine):
        with suppress(EngineUnavailable):
            more.append(EngineStats(await parts.engine.stats()))
    return await parts.exchange.render(*more)


async def _filter_uses(parts: Parts, collection: str) -> dict[str, FilterUse]:
    uses: dict[str, FilterUse] = {}
    counted = await parts.exchange.total(FILTER_KEYS, "collection", "key", "indexed")
    for (filtered, key, indexed), count in counted.items():
        if filtered == collection:
            known, without = uses.get(key, FilterUse()), int(count) if indexed == "no" else 0
            uses[key] = FilterUse(known.searches + int(count), known.unindexed + without)
    return uses
