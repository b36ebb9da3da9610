"""The features of one API process, as wiring hands them to a surface. Nothing here knows an adapter."""

from collections.abc import Awaitable, Callable

import msgspec

from vectis.catalog.service import CatalogService
from vectis.domain.ports.control import JobLedger
from vectis.domain.ports.jobs import JobQueue
from vectis.ingest.service import IngestService
from vectis.operations.readiness import ReadinessService
from vectis.points.service import PointService
from vectis.search.service import SearchService

ObserveRequest = Callable[[str, int, float], None]
"""Counts one request: operation, status, seconds."""

RenderMetrics = Callable[[], Awaitable[bytes]]
"""The Prometheus text of all processes of this server."""


class Services(msgspec.Struct, frozen=True):
    """The features of one API process."""

    catalog: CatalogService
    points: PointService
    ingest: IngestService
    search: SearchService
    readiness: ReadinessService
    ledger: JobLedger
    queue: JobQueue
    observe: ObserveRequest
    metrics: RenderMetrics
    body_bytes_max: int
