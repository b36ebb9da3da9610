"""Opens what measures the traffic of rollouts, what asks queries again, and what takes feedback on their answers."""

import hmac
from contextlib import AsyncExitStack
from uuid import uuid4

from vectis.access.admission import Admission
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.prometheus.recall import RecallMetrics
from vectis.adapters.prometheus.shortcuts import ShortcutMetrics
from vectis.adapters.traffic.log import TrafficLog
from vectis.domain.feedback import QueryIds
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.engine import Engine
from vectis.domain.ports.feedback import FeedbackStore
from vectis.domain.ports.traffic import TrafficStore
from vectis.feedback.service import FeedbackService
from vectis.runtime.settings import Settings
from vectis.search.behind import Behind
from vectis.search.interleaving import Interleaving
from vectis.search.recall import RecallRules, RecallWatch
from vectis.search.shadows import ShadowRules, Shadows
from vectis.search.shortcuts import Shortcuts
from vectis.search.spare_time import SpareTime


async def open_traffic(
    stack: AsyncExitStack, metrics: ProcessMetrics, store: TrafficStore, clock: Clock, *, process: str
) -> TrafficLog:
    """The log of everything that is asked, which writes before `stack` closes the store."""
    log = TrafficLog(metrics, store, clock, reporter=f"{process}-{uuid4().hex[:12]}")
    await log.open()
    stack.push_async_callback(log.close)
    metrics.export_counts("vectis_traffic", "Reports of the traffic of rollouts", log.counts)
    return log


def open_behind(
    stack: AsyncExitStack,
    settings: Settings,
    metrics: ProcessMetrics,
    directory: Directory,
    engine: Engine,
    log: TrafficLog,
    clock: Clock,
    admission: Admission,
) -> Behind:
    """What asks mirrored queries and samples, all in the same spare time; `stack` ends it."""
    traffic = settings.traffic
    spare = SpareTime(
        clock, admission.at_work, share_percent=traffic.spare_share_percent, at_work_max=traffic.spare_at_work_max
    )
    stack.push_async_callback(spare.close)
    timeout_s = settings.search.timeout_s
    shadow_rules = ShadowRules(timeout_s=timeout_s, keep_words=traffic.keep_words)
    shadows = Shadows(directory=directory, log=log, clock=clock, spare=spare, rules=shadow_rules)
    metrics.export_counts("vectis_shadow", "Queries asked of both variants of an alias", shadows.counts)
    recall_rules = RecallRules(settings.search.recall_sample_percent, settings.search.recall_least, timeout_s)
    recall = RecallWatch(log=RecallMetrics(metrics.registry), spare=spare, rules=recall_rules)
    shortcuts = Shortcuts(
        reader=engine,
        log=ShortcutMetrics(metrics.registry),
        clock=clock,
        spare=spare,
        sample_percent=settings.search.shortcut_sample_percent,
        timeout_s=timeout_s,
    )
    return Behind(shadows, recall, shortcuts)


def make_interleaving(metrics: ProcessMetrics, directory: Directory) -> Interleaving:
    """What mixes the answers of both collections of an alias."""
    interleaving = Interleaving(directory)
    metrics.export_counts("vectis_interleaved", "Searches asked of both variants of an alias", interleaving.counts)
    return interleaving


def make_feedback(secret: bytes, directory: Directory, store: FeedbackStore, clock: Clock) -> FeedbackService:
    """Feedback, whose ids are sealed with a key made of a secret that all servers of one store know."""
    ids = QueryIds(hmac.digest(secret, b"ids of answered queries", "sha256"))
    return FeedbackService(directory=directory, store=store, ids=ids, clock=clock)
