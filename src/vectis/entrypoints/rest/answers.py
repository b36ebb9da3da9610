"""What callers get: one struct per answer. Field names are part of the contract; OpenAPI is made from them."""

from datetime import datetime
from typing import Any

import msgspec

from vectis.domain.audit import Act
from vectis.domain.documents import Document
from vectis.domain.gains import Gain
from vectis.domain.jobs import JobProgress, JobState
from vectis.domain.measurements import FilterUse
from vectis.domain.points import PointId
from vectis.domain.profiles import CollectionProfile
from vectis.domain.routes import Target
from vectis.domain.schema import PayloadIndexKind


class CollectionSummary(msgspec.Struct, omit_defaults=True):
    """One line of the list of collections. Deleted ones say when they were deleted and when they will be removed."""

    name: str
    profile: str
    created_at: datetime
    points: int
    deleted_at: datetime | None = None
    removal_at: datetime | None = None


class CollectionDeleted(msgspec.Struct):
    """It is hidden; `job_id` removes it at `removal_at`, until when the deletion can be taken back."""

    removal_at: datetime
    job_id: str
    deleted: bool = True


class CollectionList(msgspec.Struct):
    """All collections, by name."""

    collections: list[CollectionSummary]


class CollectionDetail(msgspec.Struct):
    """A collection with its settings and its state in the engine; `filters` tells by which payload keys it is filtered,
    `gains` what was measured of its modes of search on judged queries.

    `trouble` is why the builds that it needs fail; null while they do not. `missed_writes` counts those that it could not take
    while it was to follow another collection.
    """

    name: str
    created_at: datetime
    profile: CollectionProfile
    points: int
    indexed_vectors: int
    segments: int
    building: bool
    trouble: str | None
    payload_indexes: dict[str, PayloadIndexKind]
    bm25_avg_len: float | None
    aliases: list[str]
    missed_writes: int
    filters: dict[str, FilterUse]
    gains: list[Gain]


class ProfileList(msgspec.Struct):
    """The named recipes for collections."""

    profiles: list[CollectionProfile]


class Deleted(msgspec.Struct):
    """What was named is gone."""

    deleted: bool = True


class Created(msgspec.Struct):
    """What was named exists now."""

    created: bool = True


class Optimized(msgspec.Struct, omit_defaults=True):
    """Whether anything had to be built; without `wait` only the job that will do it."""

    optimized: bool | None = None
    job_id: str | None = None


class AliasView(msgspec.Struct):
    """An alias and where it leads."""

    alias: str
    targets: list[Target]
    version: int


class AliasList(msgspec.Struct):
    """All aliases, by name."""

    aliases: list[AliasView]


class Upserted(msgspec.Struct):
    """How many points are stored; acknowledged only when they survive a kill."""

    upserted: int


class PointView(msgspec.Struct, omit_defaults=True):
    """A stored point. Dense vectors are lists of numbers, sparse ones {indices, values}."""

    id: PointId
    payload: dict[str, Any] | None = None
    vector: dict[str, Any] | None = None


class PointList(msgspec.Struct):
    """Points that exist, in the order asked for."""

    points: list[PointView]


class PointPage(msgspec.Struct):
    """Points in id order; `next_offset` is null at the end."""

    points: list[PointView]
    next_offset: PointId | None


class Count(msgspec.Struct):
    """An exact count."""

    count: int


class RefusedDocument(msgspec.Struct):
    """A document that was not accepted, with its place in the request."""

    index: int
    id: str
    code: str
    reason: str


class DocumentsAccepted(msgspec.Struct, omit_defaults=True):
    """What became of the documents. `job_id` is null when nothing had to be done; state and progress come with wait."""

    job_id: str | None
    accepted: int
    unchanged: int
    refused: list[RefusedDocument]
    state: JobState | None = None
    progress: JobProgress | None = None


class DocumentsRemoved(msgspec.Struct):
    """How many documents were found, and the job that removes their chunks."""

    job_id: str | None
    removed: int


class DocumentView(msgspec.Struct, omit_defaults=True):
    """A kept document and where its indexing stands. `current` is false while it waits for the worker or has an error."""

    document: Document
    content_hash: str
    current: bool
    chunks: int
    updated_at: datetime
    error: str | None = None


class DocumentLine(msgspec.Struct, omit_defaults=True):
    """One line of the list of documents."""

    id: str
    title: str
    source: str
    content_hash: str
    current: bool
    chunks: int
    updated_at: datetime
    error: str | None = None


class DocumentList(msgspec.Struct):
    """Documents in id order; `next_offset` is null at the end."""

    documents: list[DocumentLine]
    next_offset: str | None


class PrefetchPlace(msgspec.Struct):
    """Where a hit stood in one prefetch; ranks count from 1."""

    rank: int
    score: float


class Explanation(msgspec.Struct, omit_defaults=True):
    """How a hit got its score: its place in each prefetch, and what each place added to the fused score."""

    prefetches: dict[str, PrefetchPlace]
    fusion: str
    contributions: dict[str, float] = {}


class ResultView(msgspec.Struct, omit_defaults=True):
    """One result. For documents `id` is the document's, `point_id` the best chunk's, `chunks` how many of it were found."""

    id: PointId
    score: float
    payload: dict[str, Any] | None = None
    vector: dict[str, Any] | None = None
    point_id: PointId | None = None
    chunks: int = 0
    snippet: str | None = None
    explanation: Explanation | None = None


class SearchAnswer(msgspec.Struct):
    """Results, best first. `degraded` names what was left out because it did not answer.

    `unindexed_filter` names the payload keys of the filter that no payload index serves: every point was looked at for them.
    An answer that was mixed of two collections names both, and each score is of its result's own collection.
    """

    results: list[ResultView]
    took_ms: float
    degraded: list[str]
    collection: str
    stages_ms: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    unindexed_filter: list[str] | msgspec.UnsetType = msgspec.UNSET


class SearchAnswers(msgspec.Struct):
    """One answer per search, in order."""

    answers: list[SearchAnswer]


class Check(msgspec.Struct):
    """One port, asked just now."""

    status: str
    detail: str
    took_ms: float


class EvidenceView(msgspec.Struct):
    """What one look found (`ok`, `warning`, `failed`), when, and how old that is."""

    state: str
    detail: str
    took_ms: float
    at: datetime
    age_s: float


class EnvironmentStatus(msgspec.Struct):
    """Every part of the server and what it runs in; `status` is the worst of the checks."""

    status: str
    checks: dict[str, EvidenceView]


class ConnectionPool(msgspec.Struct):
    """Connections to the control store: at most `kept` stay open, `in_use` and `idle` now, `overflow` beyond the kept ones."""

    kept: int
    in_use: int
    idle: int
    overflow: int
    status: str


class DatabaseStats(msgspec.Struct):
    """The control store as the answering process sees it."""

    backend: str
    connection_pool: ConnectionPool


class CacheFigures(msgspec.Struct):
    """What each cache holds and did, added up over all processes; names as on the metrics page. Empty: there is no such cache.

    `tier`: the answers that processes share; `redis`: the link to the server they share them through.
    """

    answers: dict[str, float]
    tier: dict[str, float]
    embeddings: dict[str, float]
    redis: dict[str, float]


class CacheWarmed(msgspec.Struct):
    """How many answers were computed."""

    warmed: int


class CacheCleared(msgspec.Struct):
    """Whether answers were kept at all, and how many vectors the control store held."""

    answers: bool
    embeddings: int


class Health(msgspec.Struct):
    """`healthy` when every needed part answers, `degraded` when search still works without one, else `unhealthy`."""

    status: str
    version: str
    database: str
    timestamp: datetime
    checks: dict[str, Check]


class Problem(msgspec.Struct, omit_defaults=True):
    """RFC 9457 problem details; `code` is stable. Further members are the error's own fields."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str = ""


class AuditEntryView(msgspec.Struct):
    """One act in its place, with the seal over it and the entry before."""

    sequence: int
    act: Act
    seal: str


class AuditPage(msgspec.Struct):
    """Entries, newest first; `next_before` asks for the page after this one."""

    entries: list[AuditEntryView]
    next_before: int | None


class AuditVerified(msgspec.Struct):
    """Whether the whole audit is as it was written; if not, what does not hold, at most 100 of it."""

    holds: bool
    entries: int
    faults: list[str]
