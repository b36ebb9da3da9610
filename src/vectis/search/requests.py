"""What search is asked and what it answers, for every surface."""

from typing import TypeVar

import msgspec
from msgspec.structs import replace

from vectis.domain.feedback import Draft
from vectis.domain.filters import Filter
from vectis.domain.points import Dense, Payload, PointId, SparseVector, Vectors
from vectis.domain.profiles import Boost, Hyde, Mode, Rerank, Scores, SearchSettings
from vectis.domain.queries import EngineQuery, Fusion, SearchParams, Selector
from vectis.domain.routes import Routing
from vectis.domain.shapes import Shape


class Overrides(Shape, frozen=True, omit_defaults=True):
    """Search settings for one query; what is not given is the collection profile's. A given `hnsw_ef` is not adapted."""

    prefetch_dense: int | None = None
    prefetch_sparse: int | None = None
    prefetch_documents: int | None = None
    hnsw_ef: int | None = None
    rescore: bool | None = None
    oversampling: float | None = None
    fusion: Fusion | Scores | None = None
    rerank: Rerank | None = None
    hyde: Hyde | None = None
    boosts: list[Boost] | None = None

    def over(self, settings: SearchSettings) -> SearchSettings:
        """`settings` with the given ones replaced."""
        given = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        if "hnsw_ef" in given:
            given["adaptive_ef"] = False
        if not isinstance(self.fusion, Scores | None):
            # those of a profile are for the fusion that this query does without
            given.setdefault("rerank", None)
            given.setdefault("boosts", [])
        return msgspec.structs.replace(settings, **given) if given else settings


class DocumentSearch(msgspec.Struct, frozen=True, kw_only=True):
    """What every search of documents may say. `group` joins the chunks of a document into one result.

    `diversity`, 0 to 1: how much results shall differ from those before them. `exact` uses no index of dense vectors.
    """

    limit: int | None = None
    offset: int = 0
    filter: Filter | None = None
    score_threshold: float | None = None
    group: bool = True
    diversity: float = 0.0
    with_payload: Selector = True
    with_vectors: Selector = False
    explain: bool = False
    overrides: Overrides = Overrides()
    exact: bool = False
    routing: Routing = Routing()


class TextSearch(DocumentSearch, frozen=True):
    """A question in words."""

    query: str
    mode: Mode = "default"


class Example(msgspec.Struct, frozen=True):
    """What a result shall be like, or not: one of a document (or, in a collection of own vectors, a point), a text, a vector."""

    id: PointId | None = None
    text: str | None = None
    vector: Dense | None = None


class SimilarSearch(DocumentSearch, frozen=True):
    """What is like `positive` and not like `negative`; the examples themselves are no results.

    `using` names the dense vector in a collection of own vectors.
    """

    positive: tuple[Example, ...]
    negative: tuple[Example, ...] = ()
    using: str | None = None


class VectorSearch(msgspec.Struct, frozen=True):
    """A question as a vector. `using` None: the collection's only vector of that kind, or the one named dense or sparse."""

    vector: Dense | SparseVector
    using: str | None = None
    limit: int = 10
    offset: int = 0
    filter: Filter | None = None
    params: SearchParams | None = None
    score_threshold: float | None = None
    with_payload: Selector = True
    with_vectors: Selector = False
    routing: Routing = Routing()


Asked = TypeVar("Asked", TextSearch, SimilarSearch, VectorSearch)


def exactly(query: Asked) -> Asked:
    """The same by exact search, without any index of dense vectors."""
    if isinstance(query, VectorSearch):
        return replace(query, params=SearchParams(exact=True))
    return replace(query, exact=True)


class Place(msgspec.Struct, frozen=True):
    """Where a point stood in one prefetch, or its document where documents are ranked; ranks count from 1."""

    rank: int
    score: float


class Reasons(msgspec.Struct, frozen=True):
    """How a hit got its score. `contributions` add up to the score and are empty where no fusion took place."""

    places: dict[str, Place]
    fusion: str
    contributions: dict[str, float]


class Hit(msgspec.Struct, frozen=True):
    """One result. For grouped documents `id` is the document's and `point_id` its best chunk's."""

    id: PointId
    score: float
    payload: Payload | None = None
    vectors: Vectors | None = None
    point_id: PointId | None = None
    chunks: int = 0
    snippet: str | None = None
    reasons: Reasons | None = None


class Answer(msgspec.Struct, frozen=True):
    """Hits, best first. `stages_ms` are the times of embed, generate, engine, rerank and assemble, those that took place.

    `route_version` is 0 without an alias. `draft` says how it was mixed, when it was.

    `degraded`: what was left out, and why. `filter_keys`: the payload keys that the filter tested, and whether an index served
    each. `queries`: what the engine was asked first, for a question in words or as a vector.
    """

    hits: list[Hit]
    collection: str
    variant: str
    took_ms: float
    degraded: dict[str, str] = {}
    stages_ms: dict[str, float] = {}
    filter_keys: dict[str, bool] = {}
    queries: tuple[EngineQuery, ...] = ()
    route_version: int = 0
    draft: Draft | None = None
