"""Opens search, and what measures and mirrors the traffic of rollouts: the part of wiring that is about it."""

from contextlib import AsyncExitStack
from uuid import uuid4

from vectis.access.admission import Admission
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.traffic.log import TrafficLog
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.embedder import SparseEncoder
from vectis.domain.ports.engine import Engine
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.ports.traffic import TrafficStore
from vectis.runtime.settings import Settings
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.filter_indexes import FilterIndexes
from vectis.search.plan import SearchLimits
from vectis.search.service import SearchService
from vectis.search.shadows import ShadowRules, Shadows


async def open_traffic(
    stack: AsyncExitStack, metrics: ProcessMetrics, store: TrafficStore, clock: Clock, *, process: str
) -> TrafficLog:
    """The log of everything that is asked, which writes before `stack` closes the store."""
    log = TrafficLog(metrics, store, clock, reporter=f"{process}-{uuid4().hex[:12]}")
    await log.open()
    stack.push_async_callback(log.close)
    metrics.export_counts("vectis_traffic", "Reports of the traffic of rollouts", log.counts)
    return log


def open_shadows(
    stack: AsyncExitStack,
    settings: Settings,
    metrics: ProcessMetrics,
    directory: Directory,
    log: TrafficLog,
    clock: Clock,
    admission: Admission,
) -> Shadows:
    """What asks mirrored queries; `stack` ends it."""
    rules = ShadowRules(
        share_percent=settings.traffic.mirror_share_percent,
        at_work_max=settings.traffic.mirror_at_work_max,
        timeout_s=settings.search.timeout_s,
        keep_words=settings.traffic.keep_words,
    )
    shadows = Shadows(directory=directory, log=log, clock=clock, at_work=admission.at_work, rules=rules)
    stack.push_async_callback(shadows.close)
    metrics.export_counts("vectis_shadow", "Queries asked of both variants of an alias", shadows.counts)
    return shadows


def make_search(
    settings: Settings,
    directory: Directory,
    engine: Engine,
    embeddings: QueryEmbeddings,
    sparse: SparseEncoder,
    clock: Clock,
    log: MeasurementLog,
    shadows: Shadows | None,
) -> SearchService:
    """Search, which writes to `log` and offers its queries to `shadows`."""
    return SearchService(
        directory=directory,
        reader=engine,
        indexes=FilterIndexes(engine, clock),
        embeddings=embeddings,
        sparse=sparse,
        log=log,
        clock=clock,
        shadows=shadows,
        limits=SearchLimits(
            limit_max=settings.search.limit_max,
            batch_max=settings.search.batch_max,
            timeout_s=settings.search.timeout_s,
        ),
    )
