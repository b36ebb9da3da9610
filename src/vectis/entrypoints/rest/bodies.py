"""What callers send: one struct per request body or query string. Mapping to domain types is in the handlers."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from vectis.domain.audit import Decision
from vectis.domain.documents import Document
from vectis.domain.filters import Filter
from vectis.domain.jobs import JobState
from vectis.domain.points import PointId
from vectis.domain.profiles import Chunking, EmbeddingWishes, Mode, SearchSettings
from vectis.domain.queries import Selector
from vectis.domain.schema import (
    DenseParams,
    HnswParams,
    OptimizerParams,
    PayloadIndexKind,
    ScalarQuantization,
    SparseParams,
)
from vectis.domain.shapes import Shape
from vectis.search.requests import Overrides

Floats = list[float] | bytes
"""A dense vector: numbers, or raw little-endian float32 (binary in MessagePack, base64 in JSON)."""

Limit = Annotated[int, msgspec.Meta(ge=1)]
Diversity = Annotated[float, msgspec.Meta(ge=0, le=1)]
HealthTimeout = Annotated[float, msgspec.Meta(ge=1, le=600)]
Offset = Annotated[int, msgspec.Meta(ge=0)]


class SparseBody(Shape, frozen=True):
    """A sparse vector: positions and weights of equal length."""

    indices: list[Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]]
    values: list[float]


class CreateCollection(Shape, frozen=True):
    """A new collection. Without `vectors`: a document collection of the default profile, or of the named one.

    `like` names a collection or alias that it is made like, but for what else is given.
    """

    name: str
    profile: str | None = None
    like: str | None = None
    vectors: dict[str, DenseParams] | None = None
    sparse_vectors: dict[str, SparseParams] | None = None
    hnsw: HnswParams | None = None
    quantization: ScalarQuantization | msgspec.UnsetType | None = msgspec.UNSET
    optimizers: OptimizerParams | None = None
    payload_indexes: dict[str, PayloadIndexKind] | None = None
    embedding: EmbeddingWishes | None = None
    chunking: Chunking | None = None
    search: SearchSettings | None = None
    spellings: bool | None = None


class PutSearchSettings(Shape, frozen=True):
    """Search settings in the place of those in force: what is left out gets its default.

    `read_version` is the version that they were made from; another in force is a conflict. Null: whichever is in force.
    """

    search: SearchSettings
    description: str = ""
    read_version: int | None = None


class RollbackSearchSettings(Shape, frozen=True):
    """The version to go back to; without one it is the last with other settings than those in force."""

    version: int | None = None


class CreateIndex(Shape, frozen=True):
    """A payload index on `key`."""

    key: str
    kind: PayloadIndexKind


class SetAlias(Shape, frozen=True):
    """What the alias resolves to."""

    collection: str


class PointBody(Shape, frozen=True):
    """One point. `vector` maps vector names to dense or sparse vectors; a bare list is the vector named `dense`."""

    id: PointId
    vector: dict[str, Any] | list[float] | bytes
    payload: dict[str, Any] = {}


class PutPoints(Shape, frozen=True):
    """Points to insert or replace, whole."""

    points: list[PointBody]


class DeletePoints(Shape, frozen=True):
    """Exactly one of `ids` and `filter`."""

    ids: list[PointId] | None = None
    filter: Filter | None = None


class GetPoints(Shape, frozen=True):
    """Points by id."""

    ids: list[PointId]
    with_payload: Selector = True
    with_vectors: Selector = False


class ScrollPoints(Shape, frozen=True):
    """A page of points in id order; `offset` is the `next_offset` of the page before."""

    limit: Limit = 10
    offset: PointId | None = None
    filter: Filter | None = None
    with_payload: Selector = True
    with_vectors: Selector = False


class CountPoints(Shape, frozen=True):
    """How many points match."""

    filter: Filter | None = None


class PutDocuments(Shape, frozen=True):
    """Documents to keep and index. Each is checked by itself, so one that cannot be read does not stop the others."""

    documents: list[Document]


class DeleteDocuments(Shape, frozen=True):
    """Documents to remove with their chunks."""

    ids: list[str]


class SearchBody(Shape, frozen=True):
    """A question in words."""

    collection: str
    query: str
    limit: Limit | None = None
    offset: Offset = 0
    mode: Mode = "default"
    filter: Filter | None = None
    score_threshold: float | None = None
    group: bool = True
    diversity: Diversity = 0.0
    with_payload: Selector = True
    with_vectors: Selector = False
    explain: bool = False
    settings: Overrides = Overrides()


class ExampleBody(Shape, frozen=True):
    """Exactly one of: the id of a document (in a collection of own vectors: of a point), a text, a dense vector."""

    id: PointId | None = None
    text: str | None = None
    vector: Floats | None = None


class SimilarBody(Shape, frozen=True):
    """What results shall be like, and what not. The examples themselves are no results.

    In a collection of own vectors `using` names the vector, and there is no diversity, explain and settings.
    """

    mode: ClassVar[str] = "similar"

    collection: str
    positive: Annotated[list[ExampleBody], msgspec.Meta(min_length=1)]
    negative: list[ExampleBody] = []
    limit: Limit | None = None
    offset: Offset = 0
    filter: Filter | None = None
    score_threshold: float | None = None
    using: str | None = None
    group: bool = True
    diversity: Diversity = 0.0
    with_payload: Selector = True
    with_vectors: Selector = False
    explain: bool = False
    settings: Overrides = Overrides()


class VectorSearchBody(Shape, frozen=True):
    """A question as a vector."""

    collection: str
    query_vector: Floats | SparseBody
    limit: Limit = 10
    offset: Offset = 0
    using: str | None = None
    filter: Filter | None = None
    score_threshold: float | None = None
    with_payload: Selector = True
    with_vectors: Selector = False
    hnsw_ef: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    exact: bool = False
    rescore: bool | None = None
    oversampling: Annotated[float, msgspec.Meta(ge=1.0, le=16.0)] | None = None


class VectorSearchBatch(Shape, frozen=True):
    """Several vector searches, answered in order."""

    searches: list[VectorSearchBody]


class WaitQuery(Shape, frozen=True):
    """`wait=true` answers when the work is done, not when it is recorded."""

    wait: bool = False


class CollectionsQuery(Shape, frozen=True):
    """`deleted=true`: those that are deleted and not yet removed."""

    deleted: bool = False


class DeletionQuery(Shape, frozen=True):
    """How long the deletion can be taken back; 0 removes before the answer, without it the server's setting counts."""

    grace_minutes: Annotated[float, msgspec.Meta(ge=0, le=525_600)] | None = None


class DocumentsQuery(Shape, frozen=True):
    """A page of documents; `offset` is the `next_offset` of the page before."""

    limit: Limit = 100
    offset: str | None = None
    source: str | None = None


class JobsQuery(Shape, frozen=True):
    """Jobs, newest first; `before`: only those recorded before the job with this id."""

    limit: Limit = 20
    kind: str | None = None
    state: JobState | None = None
    queue: str | None = None
    before: str | None = None


class RetryJobs(Shape, frozen=True):
    """Which dead jobs to run again; all without a kind or queue."""

    kind: str | None = None
    queue: str | None = None


class RecoverJobs(Shape, frozen=True):
    """`worker`: a worker known to be dead, whose jobs are given to others at once. Without one: jobs that nobody holds."""

    worker: str | None = None


class AuditQuery(Shape, frozen=True):
    """Which entries of the audit; `before` is the number to go on from, given by the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    before: int | None = None
    actor: str = ""
    action: str = ""
    resource: str = ""
    tenant: str = ""
    decision: Decision | None = None
    since: datetime | None = None
    until: datetime | None = None


class ApplyConfiguration(Shape, frozen=True):
    """A configuration as the file would hold it. It is taken back when the server is not healthy in time."""

    text: str
    format: Literal["toml", "yaml", "yml"] = "toml"
    description: str = ""
    health_timeout_s: HealthTimeout = 30.0


class RollbackConfiguration(Shape, frozen=True):
    """The version to go back to; without one it is the version applied before the active one."""

    version: int | None = None
    description: str = ""
    health_timeout_s: HealthTimeout = 30.0


class WarmCache(Shape, frozen=True):
    """How many of the most frequent recent questions to answer."""

    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20


class ClearCache(Shape, frozen=True):
    """`embeddings`: vectors of texts too, which cost time to compute again."""

    embeddings: bool = False


class RawVectorQuery(Shape, frozen=True):
    """The parts of a vector search beside a raw float32 body."""

    collection: str
    limit: Limit = 10
    offset: Offset = 0
    using: str | None = None
    with_payload: bool = True
