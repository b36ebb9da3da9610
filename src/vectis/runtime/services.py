"""The features of one API process, as wiring hands them to a surface. Nothing here knows an adapter."""

from collections.abc import Awaitable, Callable

import msgspec

from vectis.access.admission import Admission
from vectis.access.audit import AuditTrail
from vectis.access.logins import Logins
from vectis.access.service import AccessService
from vectis.catalog.service import CatalogService
from vectis.domain.access import Caller, Pass
from vectis.domain.measurements import FilterUse
from vectis.domain.ports.answers import AnswerCache
from vectis.domain.ports.control import Connections
from vectis.evaluation.service import EvaluationService
from vectis.feedback.service import FeedbackService
from vectis.ingest.service import IngestService
from vectis.jobs.schedules import Schedules
from vectis.jobs.service import JobService
from vectis.operations.caches import CacheDesk
from vectis.operations.readiness import ReadinessService
from vectis.points.service import PointService
from vectis.rollouts.service import RolloutService
from vectis.runtime.configuration.running import RunningConfiguration
from vectis.search.service import SearchService

ObserveRequest = Callable[[str, int, float], None]
"""Counts one request: operation, status, seconds."""

RenderMetrics = Callable[[Pass], Awaitable[bytes]]
"""The Prometheus text of all processes of this server, for a pass to view_metrics."""

Authenticate = Callable[[str, str], Caller | Awaitable[Caller]]
"""Who calls, from a key or token and the address it came from: at once when that is known, else after looking.

Raises Unauthenticated, Forbidden.
"""

ReadConnections = Callable[[Pass], Connections]
"""The control store's connections in this process, for a pass to view_metrics."""

ReadFilterUses = Callable[[str], Awaitable[dict[str, FilterUse]]]
"""By which payload keys a collection was filtered, in all processes of this server."""


class Services(msgspec.Struct, frozen=True):
    """The features of one API process."""

    catalog: CatalogService
    points: PointService
    ingest: IngestService
    search: SearchService
    readiness: ReadinessService
    jobs: JobService
    schedules: Schedules
    rollouts: RolloutService
    feedback: FeedbackService
    evaluation: EvaluationService
    configuration: RunningConfiguration
    access: AccessService
    logins: Logins
    authenticate: Authenticate
    admission: Admission
    audit: AuditTrail
    answers: AnswerCache | None
    caches: CacheDesk
    observe: ObserveRequest
    metrics: RenderMetrics
    connections: ReadConnections
    filter_uses: ReadFilterUses
    logs_requests: bool
    body_bytes_max: int
    query_bytes_max: int
