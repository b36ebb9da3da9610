"""From a request to the one question for the engine. Pure: no I/O, no clock."""

import msgspec

from vectis.domain.collections import Collection
from vectis.domain.documents import DOCUMENT_ID
from vectis.domain.errors import EmptyQuery, InvalidInput, InvalidVector, LimitExceeded, Unsupported
from vectis.domain.filters import check
from vectis.domain.points import Dense, SparseVector
from vectis.domain.profiles import DENSE, SPARSE, SearchSettings
from vectis.domain.queries import HNSW_EF_MAX, EngineQuery, Nearest, Rrf, SearchParams, Selector
from vectis.domain.schema import CollectionSchema, check_vectors
from vectis.search.requests import Mode, TextSearch, VectorSearch

GROUP_OVERSAMPLING = 5
"""Chunks asked for per document wanted: pages of documentation rarely have more chunks among the best."""

CANDIDATES_MAX = 2000
PREFETCH_MAX = 10_000
OVERSAMPLING_MAX = 16.0

_VECTORS_OF: dict[Mode, tuple[str, ...]] = {"hybrid": (DENSE, SPARSE), "dense": (DENSE,), "sparse": (SPARSE,)}


class SearchLimits(msgspec.Struct, frozen=True):
    """What one request may ask. Counts are requests, limits are results, the timeout is seconds."""

    limit_max: int = 1000
    offset_max: int = 10_000
    query_chars_max: int = 8192
    batch_max: int = 100
    timeout_s: float = 30.0


class TextPlan(msgspec.Struct, frozen=True):
    """What a text search needs: the query vectors by name, and how the engine shall use them."""

    settings: SearchSettings
    using: tuple[str, ...]
    limit: int
    candidates: int
    grouped: bool


def plan_text(request: TextSearch, collection: Collection, limits: SearchLimits) -> TextPlan:
    """Check a text search and say which vectors it needs.

    Raises EmptyQuery, LimitExceeded, InvalidFilter, or Unsupported when the collection holds no documents.
    """
    if not request.query.strip():
        raise EmptyQuery("query: nothing to search for; give at least one word", field="query")
    if len(request.query) > limits.query_chars_max:
        raise LimitExceeded(
            f"query: {len(request.query)} characters, the maximum is {limits.query_chars_max}",
            field="query", maximum=limits.query_chars_max,
        )  # fmt: skip
    if collection.profile.embedding is None:
        raise Unsupported(
            f"collection {collection.name} holds your own vectors and no text: ask with POST /api/v1/vectors/search",
            collection=collection.name,
        )
    settings = request.overrides.over(collection.profile.search)
    _check_settings(settings)
    limit = settings.limit if request.limit is None else request.limit
    _check_window(limit, request.offset, limits)
    if request.filter is not None:
        check(request.filter)
    using = _VECTORS_OF[request.mode]
    wanted = request.offset + limit
    candidates = min(wanted * GROUP_OVERSAMPLING, max(CANDIDATES_MAX, wanted)) if request.group else wanted
    return TextPlan(
        settings=settings,
        using=using,
        limit=limit,
        candidates=candidates,
        grouped=request.group,
    )


def engine_query(request: TextSearch, plan: TextPlan, vectors: dict[str, Dense | SparseVector]) -> EngineQuery:
    """The one question for the engine, from the vectors that could be made (in the order of `plan.using`)."""
    prefetches = tuple(_prefetch(name, vectors[name], plan) for name in plan.using if name in vectors)
    return EngineQuery(
        prefetches=prefetches,
        limit=plan.candidates if plan.grouped else plan.limit,
        offset=0 if plan.grouped else request.offset,
        fusion=plan.settings.fusion if len(prefetches) > 1 else None,
        filter=request.filter,
        score_threshold=request.score_threshold,
        with_payload=_with_document_id(request.with_payload) if plan.grouped else request.with_payload,
        with_vectors=request.with_vectors,
    )


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
    _check_window(request.limit, request.offset, limits)
    if request.filter is not None:
        check(request.filter)
    schema = collection.profile.schema
    using = request.using or _only_vector(schema, sparse=isinstance(request.vector, SparseVector))
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


def default_params(settings: SearchSettings) -> SearchParams:
    """The profile's search effort for dense vectors."""
    return SearchParams(
        hnsw_ef=settings.hnsw_ef,
        rescore=settings.rescore,
        oversampling=settings.oversampling,
        adaptive=settings.adaptive_ef,
    )


def _prefetch(name: str, vector: Dense | SparseVector, plan: TextPlan) -> Nearest:
    if name == DENSE:
        depth, params = plan.settings.prefetch_dense, default_params(plan.settings)
    else:
        depth, params = plan.settings.prefetch_sparse, SearchParams()
    return Nearest(vector=vector, using=name, limit=max(depth, plan.candidates), params=params)


def _check_window(limit: int, offset: int, limits: SearchLimits) -> None:
    for name, value, maximum in (("limit", limit, limits.limit_max), ("offset", offset, limits.offset_max)):
        if value > maximum:
            raise LimitExceeded(
                f"{name}: {value} is beyond the maximum of {maximum}; use /points/scroll to read everything",
                field=name, given=value, maximum=maximum,
            )  # fmt: skip
    if limit < 1 or offset < 0:
        raise InvalidInput("limit: must be 1 or more, and offset 0 or more", field="limit")


def _check_settings(settings: SearchSettings) -> None:
    bounds: list[tuple[str, float, float, float]] = [
        ("prefetch_dense", settings.prefetch_dense, 1, PREFETCH_MAX),
        ("prefetch_sparse", settings.prefetch_sparse, 1, PREFETCH_MAX),
        ("hnsw_ef", settings.hnsw_ef, 1, HNSW_EF_MAX),
        ("oversampling", settings.oversampling, 1, OVERSAMPLING_MAX),
    ]
    if isinstance(settings.fusion, Rrf):
        bounds.append(("fusion.k", settings.fusion.k, 1, 10_000))
        weights, prefetches = settings.fusion.weights, len(_VECTORS_OF["hybrid"])
        if weights is not None and (len(weights) != prefetches or min(weights) <= 0):
            raise InvalidInput(
                f"settings.fusion.weights: give {prefetches} numbers above 0, dense first, then sparse",
                field="settings.fusion.weights",
            )
    for field, value, low, high in bounds:
        if not low <= value <= high:
            raise InvalidInput(f"settings.{field}: {value} is outside {low} to {high}", field=f"settings.{field}")


def _only_vector(schema: CollectionSchema, *, sparse: bool) -> str:
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


def _with_document_id(selector: Selector) -> Selector:
    if selector is True or (isinstance(selector, list) and DOCUMENT_ID in selector):
        return selector
    return [DOCUMENT_ID, *(selector if isinstance(selector, list) else ())]
