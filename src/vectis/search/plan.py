"""From a request to the question for the engine. Pure: no I/O, no clock."""

from collections.abc import Sequence
from math import fsum

import msgspec
from msgspec.structs import replace

from vectis.domain.collections import Collection
from vectis.domain.documents import DOCUMENT_ID
from vectis.domain.errors import EmptyQuery, InvalidInput, InvalidVector, LimitExceeded, Unsupported
from vectis.domain.filters import check
from vectis.domain.points import Dense, ScoredPoint, SparseVector
from vectis.domain.profiles import (
    DENSE,
    DOCUMENT_DENSE,
    DOCUMENT_SPARSE,
    SPARSE,
    Hyde,
    Mode,
    Rerank,
    Scores,
    SearchSettings,
    check_search,
)
from vectis.domain.queries import EngineQuery, Fusion, Nearest, Rrf, SearchParams, Selector
from vectis.domain.schema import CollectionSchema, check_vectors
from vectis.search.requests import DocumentSearch, Overrides, SimilarSearch, TextSearch, VectorSearch
from vectis.search.scores import Prefetched

GROUP_OVERSAMPLING = 5
"""Chunks asked for per document wanted: pages of documentation rarely have more chunks among the best."""

CANDIDATES_MAX = 2000

MODEL_SHARE = 0.8
"""Of a search's time that a model may take which it can do without: the rest answers without it."""

_VECTORS_OF: dict[Mode, tuple[str, ...]] = {
    "default": (DENSE, SPARSE),
    "best": (DENSE, SPARSE),
    "hyde": (DENSE, SPARSE),
    "hybrid": (DENSE, SPARSE),
    "dense": (DENSE,),
    "sparse": (SPARSE,),
}

_WHOLE_OF = {DENSE: DOCUMENT_DENSE, SPARSE: DOCUMENT_SPARSE}


class SearchLimits(msgspec.Struct, frozen=True):
    """What one request may ask. Counts are requests, limits are results, the timeout is seconds."""

    limit_max: int = 1000
    offset_max: int = 10_000
    query_chars_max: int = 8192
    batch_max: int = 100
    timeout_s: float = 30.0


class TextPlan(msgspec.Struct, frozen=True):
    """What a text search needs: the query vectors by name, and how the engine shall use them.

    `fusion` of Rrf or Dbsf is the engine's work on chunks, one of Scores is done here on documents. `rerank` or `hyde` None:
    without.
    """

    settings: SearchSettings
    using: tuple[str, ...]
    fusion: Fusion | Scores
    limit: int
    wanted: int
    candidates: int
    grouped: bool
    whole: tuple[str, ...]
    rerank: Rerank | None
    hyde: Hyde | None


class Prefetch(msgspec.Struct, frozen=True):
    """One prefetch of a fusion of scores as a question of its own, with its weight and how many of its points are scored."""

    name: str
    query: EngineQuery
    weight: float
    depth: int
    whole: bool


def plan_text(request: TextSearch, collection: Collection, limits: SearchLimits) -> TextPlan:
    """Check a text search and say which vectors it needs.

    Raises EmptyQuery, LimitExceeded, InvalidFilter, or Unsupported when the collection holds no documents.
    """
    if not request.query.strip():
        raise EmptyQuery("query: nothing to search for; give at least one word", field="query")
    if len(request.query) > limits.query_chars_max:
        raise LimitExceeded(
            f"query: {len(request.query)} characters, the maximum is {limits.query_chars_max}",
            field="query",
            maximum=limits.query_chars_max,
        )
    if collection.profile.embedding is None:
        raise Unsupported(
            f"collection {collection.name} holds your own vectors and no text: ask with POST /api/v1/vectors/search",
            collection=collection.name,
        )
    settings = request.overrides.over(collection.profile.search)
    if request.mode == "hybrid":
        fusion = request.overrides.fusion or Rrf()
        settings = replace(
            settings, fusion=fusion, rerank=request.overrides.rerank, boosts=request.overrides.boosts or []
        )
    if request.mode == "best":
        settings = replace(settings, rerank=settings.rerank or Rerank())
    if request.mode == "hyde":
        settings = replace(settings, hyde=settings.hyde or Hyde())
    if request.mode in ("hybrid", "dense", "sparse"):
        settings = replace(settings, hyde=request.overrides.hyde)
    using = _VECTORS_OF[request.mode]
    if len(using) == 1:
        _refuse_parts(request)
    return _planned(request, collection, limits, settings, using)


def _refuse_parts(request: TextSearch) -> None:
    """One kind of vector ranks chunks by itself: what would be further parts of a score must not be asked for in vain."""
    asked = {
        "diversity": request.diversity,
        "settings.rerank": request.overrides.rerank,
        "settings.boosts": request.overrides.boosts,
    }
    if field := next((name for name, value in asked.items() if value), None):
        raise InvalidInput(f"{field}: mode {request.mode} ranks without; use default or best", field=field)


def plan_similar(request: SimilarSearch, collection: Collection, limits: SearchLimits) -> TextPlan:
    """Check a search by examples among documents, which ranks by meaning: chunks, and documents as a whole.

    Raises LimitExceeded, InvalidFilter, InvalidInput.
    """
    if request.using not in (None, DENSE):
        raise InvalidInput("using: documents are compared by their own vectors; leave it out", field="using")
    settings = request.overrides.over(collection.profile.search)
    weights = settings.fusion if isinstance(settings.fusion, Scores) else Scores()
    if not (weights.dense or weights.document_dense):
        weights = Scores()
    settings = replace(settings, fusion=weights, rerank=None, hyde=None)
    return _planned(request, collection, limits, settings, (DENSE,))


def _planned(
    request: DocumentSearch,
    collection: Collection,
    limits: SearchLimits,
    settings: SearchSettings,
    using: tuple[str, ...],
) -> TextPlan:
    check_search(settings, at="settings")
    if not 0 <= request.diversity <= 1:
        raise InvalidInput(f"diversity: {request.diversity} is outside 0 to 1", field="diversity")
    if request.diversity and not isinstance(settings.fusion, Scores):
        raise InvalidInput("diversity: only a fusion of type scores can have it", field="diversity")
    limit = settings.limit if request.limit is None else request.limit
    _check_bounds(limit, request.offset, limits)
    if request.filter is not None:
        check(request.filter)
    wanted = request.offset + limit
    candidates = min(wanted * GROUP_OVERSAMPLING, max(CANDIDATES_MAX, wanted)) if request.group else wanted
    schema = collection.profile.schema
    model_ms = int(limits.timeout_s * 1000 * MODEL_SHARE)
    rerank, hyde = settings.rerank, settings.hyde
    return TextPlan(
        settings=settings,
        using=using,
        fusion=settings.fusion,
        limit=limit,
        wanted=wanted,
        candidates=candidates,
        grouped=request.group,
        whole=tuple(name for name in _WHOLE_OF.values() if name in schema.dense or name in schema.sparse),
        rerank=replace(rerank, timeout_ms=min(rerank.timeout_ms, model_ms)) if rerank and rerank.weight else None,
        hyde=replace(hyde, timeout_ms=min(hyde.timeout_ms, model_ms)) if hyde and hyde.documents else None,
    )


def engine_query(request: DocumentSearch, plan: TextPlan, vectors: dict[str, Dense | SparseVector]) -> EngineQuery:
    """The one question for the engine, from the vectors that could be made (in the order of `plan.using`)."""
    prefetches = tuple(_prefetch(name, vectors[name], request, plan) for name in plan.using if name in vectors)
    return EngineQuery(
        prefetches=prefetches,
        limit=plan.candidates if plan.grouped else plan.limit,
        offset=0 if plan.grouped else request.offset,
        fusion=plan.fusion if len(prefetches) > 1 and not isinstance(plan.fusion, Scores) else None,
        filter=request.filter,
        score_threshold=request.score_threshold,
        with_payload=with_document_id(request.with_payload) if plan.grouped else request.with_payload,
        with_vectors=request.with_vectors,
    )


def score_prefetches(
    request: DocumentSearch, plan: TextPlan, weights: Scores, vectors: dict[str, Dense | SparseVector]
) -> list[Prefetch]:
    """The questions of a fusion of scores, from the vectors that could be made; none where every weight is 0.

    Where documents' ids say nothing of their chunks', in a collection without vectors of whole documents, the payload does.
    """
    settings = plan.settings
    by_payload = plan.grouped and not plan.whole
    chunk_depth = {DENSE: settings.prefetch_dense, SPARSE: settings.prefetch_sparse}
    prefetches: list[Prefetch] = []
    for name, vector in vectors.items():
        params = _dense_params(request, settings) if name == DENSE else SearchParams()
        asked = [(name, chunk_depth[name], plan.candidates)]
        if (whole := _WHOLE_OF[name]) in plan.whole:
            asked.append((whole, settings.prefetch_documents, plan.wanted))
        for using, depth, least in asked:
            limit = max(depth, least)
            query = EngineQuery(
                prefetches=(Nearest(vector=vector, using=using, limit=limit, params=params),),
                limit=limit,
                filter=request.filter,
                with_payload=[DOCUMENT_ID] if by_payload else False,
            )
            if weight := getattr(weights, using):
                prefetches.append(Prefetch(using, query, weight, depth, whole=using != name))
    return prefetches


def found(prefetches: Sequence[Prefetch], answers: Sequence[Sequence[ScoredPoint]]) -> list[Prefetched]:
    """Prefetches with their answers, in order, each with its share of the weights."""
    total = fsum(each.weight for each in prefetches)
    return [
        Prefetched(each.name, points, each.weight / total, each.depth, each.whole)
        for each, points in zip(prefetches, answers, strict=True)
    ]


def prefetch_queries(query: EngineQuery) -> list[EngineQuery]:
    """Each prefetch of `query` as a question of its own: what `explain` shows beside the fused answer."""
    return [
        EngineQuery(prefetches=(nearest,), limit=nearest.limit, filter=query.filter, with_payload=False)
        for nearest in query.prefetches
    ]


def vector_query(request: VectorSearch, collection: Collection, limits: SearchLimits) -> EngineQuery:
    """Check a vector search and put it as a question for the engine.

    Raises LimitExceeded, InvalidFilter, InvalidVector or WrongDimension.
    """
    _check_bounds(request.limit, request.offset, limits)
    if request.filter is not None:
        check(request.filter)
    schema = collection.profile.schema
    using = request.using or only_vector(schema, sparse=isinstance(request.vector, SparseVector))
    check_vectors(schema, {using: request.vector}, at="query_vector")
    nearest = Nearest(
        vector=request.vector,
        using=using,
        limit=request.limit + request.offset,
        params=request.params or default_params(collection.profile.search),
    )
    return EngineQuery(
        prefetches=(nearest,),
        limit=request.limit,
        offset=request.offset,
        filter=request.filter,
        score_threshold=request.score_threshold,
        with_payload=request.with_payload,
        with_vectors=request.with_vectors,
    )


def as_vector_search(request: SimilarSearch, collection: Collection, using: str, vector: Dense) -> VectorSearch:
    """A search by examples among own vectors, which belong to no document. Unsupported for what only documents have."""
    if request.diversity or request.explain or request.overrides != Overrides():
        raise Unsupported("diversity, explain, settings: only document collections have them; leave them out")
    limit = collection.profile.search.limit if request.limit is None else request.limit
    return VectorSearch(
        vector=vector,
        using=using,
        limit=limit,
        offset=request.offset,
        filter=request.filter,
        params=SearchParams(exact=True) if request.exact else None,
        score_threshold=request.score_threshold,
        with_payload=request.with_payload,
        with_vectors=request.with_vectors,
        routing=request.routing,
    )


def default_params(settings: SearchSettings) -> SearchParams:
    """The profile's search effort for dense vectors."""
    return SearchParams(
        hnsw_ef=settings.hnsw_ef,
        rescore=settings.rescore,
        oversampling=settings.oversampling,
        adaptive=settings.adaptive_ef,
    )


def _dense_params(request: DocumentSearch, settings: SearchSettings) -> SearchParams:
    return SearchParams(exact=True) if request.exact else default_params(settings)


def _prefetch(name: str, vector: Dense | SparseVector, request: DocumentSearch, plan: TextPlan) -> Nearest:
    if name == DENSE:
        depth, params = plan.settings.prefetch_dense, _dense_params(request, plan.settings)
    else:
        depth, params = plan.settings.prefetch_sparse, SearchParams()
    return Nearest(vector=vector, using=name, limit=max(depth, plan.candidates), params=params)


def _check_bounds(limit: int, offset: int, limits: SearchLimits) -> None:
    for name, value, maximum in (("limit", limit, limits.limit_max), ("offset", offset, limits.offset_max)):
        if value > maximum:
            raise LimitExceeded(
                f"{name}: {value} is beyond the maximum of {maximum}; use /points/scroll to read everything",
                field=name,
                given=value,
                maximum=maximum,
            )
    if limit < 1 or offset < 0:
        raise InvalidInput("limit: must be 1 or more, and offset 0 or more", field="limit")


def only_vector(schema: CollectionSchema, *, sparse: bool) -> str:
    """The name of the vector that is meant when none is named. InvalidVector when several could be."""
    names = list(schema.sparse if sparse else schema.dense)
    usual = SPARSE if sparse else DENSE
    if usual in names:
        return usual
    if len(names) == 1:
        return names[0]
    kind = "sparse" if sparse else "dense"
    raise InvalidVector(
        f"using: name one of the collection's {kind} vectors: {', '.join(names) or 'it has none'}", field="using"
    )


def with_document_id(selector: Selector) -> Selector:
    """`selector` and the document's id, which a grouped result is named by."""
    if selector is True or (isinstance(selector, list) and DOCUMENT_ID in selector):
        return selector
    return [DOCUMENT_ID, *(selector if isinstance(selector, list) else ())]
