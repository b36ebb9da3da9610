"""From the domain to qdrant-client's models: filters, queries, points and collection settings. No calls."""

from datetime import datetime
from typing import Any

from qdrant_client import models

from vectis.domain.errors import InvalidFilter, InvalidInput
from vectis.domain.filters import Condition, Filter, GeoPoint, Match, Range, parse_datetime
from vectis.domain.points import Point, PointId, SparseVector, Vector
from vectis.domain.queries import EngineQuery, Fusion, Nearest, Rrf, SearchParams
from vectis.domain.schema import CollectionSchema


def to_filter(filter: Filter | Condition) -> models.Filter:
    """The same clauses in the client's words."""
    return models.Filter(
        must=_conditions(filter.must), should=_conditions(filter.should), must_not=_conditions(filter.must_not)
    )


def to_point(point_id: PointId, point: Point) -> models.PointStruct:
    """A point with all its vectors, under the canonical `point_id`."""
    vectors: dict[str, Any] = {name: to_vector(vector) for name, vector in point.vectors.items()}
    return models.PointStruct(id=point_id, vector=vectors, payload=point.payload)


def to_vector(vector: Vector) -> list[float] | models.SparseVector:
    """A dense vector as numbers, a sparse one as the client's."""
    if isinstance(vector, SparseVector):
        return models.SparseVector(indices=vector.indices, values=vector.values)
    return vector.tolist()


def to_request(query: EngineQuery) -> models.QueryRequest | None:
    """The request, None when its answer is empty whatever is stored. InvalidInput when fusion and prefetches do not fit."""
    filter = to_filter(query.filter) if query.filter is not None else None
    rest: dict[str, Any] = {
        "offset": query.offset,
        "with_payload": query.with_payload,
        "with_vector": query.with_vectors,
    }
    if query.fusion is None:
        if len(query.prefetches) != 1:
            raise InvalidInput(
                f"a query of {len(query.prefetches)} prefetches needs a fusion; without one it has exactly one"
            )
        (nearest,) = query.prefetches
        limit = min(query.limit, nearest.limit - query.offset)
        thresholds = [t for t in (nearest.score_threshold, query.score_threshold) if t is not None]
        if limit < 1:
            return None
        return models.QueryRequest(
            **_nearest(nearest),
            **rest,
            prefetch=_prefetch(nearest, filter) if len(thresholds) > 1 else None,
            filter=filter,
            limit=limit,
            score_threshold=thresholds[-1] if thresholds else None,
        )
    if query.limit < 1:
        return None
    return models.QueryRequest(
        **rest,
        prefetch=[_prefetch(nearest, filter) for nearest in query.prefetches],
        query=_fusion(query.fusion, len(query.prefetches)),
        limit=query.limit,
        score_threshold=query.score_threshold,
    )


def to_settings(schema: CollectionSchema) -> dict[str, Any]:
    """The arguments of `create_collection`, every setting of the schema given."""
    hnsw, optimizers, quantization = schema.hnsw, schema.optimizers, schema.quantization
    return {
        "vectors_config": {
            name: models.VectorParams(
                size=params.size, distance=models.Distance(params.distance.value), on_disk=params.on_disk
            )
            for name, params in schema.dense.items()
        },
        "sparse_vectors_config": {
            name: models.SparseVectorParams(
                index=models.SparseIndexParams(full_scan_threshold=params.full_scan_threshold, on_disk=params.on_disk),
                modifier=models.Modifier.IDF if params.idf else models.Modifier.NONE,
            )
            for name, params in schema.sparse.items()
        },
        "hnsw_config": models.HnswConfigDiff(
            m=hnsw.m,
            ef_construct=hnsw.ef_construct,
            full_scan_threshold=hnsw.full_scan_threshold,
            max_indexing_threads=hnsw.max_indexing_threads,
        ),
        "optimizers_config": models.OptimizersConfigDiff(
            deleted_threshold=optimizers.deleted_threshold,
            vacuum_min_vector_number=optimizers.vacuum_min_vector_number,
            default_segment_number=optimizers.default_segment_number,
            max_segment_size=optimizers.max_segment_size,
            memmap_threshold=optimizers.memmap_threshold,
            indexing_threshold=optimizers.indexing_threshold,
            flush_interval_sec=optimizers.flush_interval_sec,
            # a plain 0 would forbid optimization; 0 threads means automatic here
            max_optimization_threads=optimizers.max_optimization_threads or models.MaxOptimizationThreadsSetting.AUTO,
        ),
        "quantization_config": quantization
        and models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(
                type=models.ScalarType.INT8, quantile=quantization.quantile, always_ram=quantization.always_ram
            )
        ),
    }


def _nearest(nearest: Nearest) -> dict[str, Any]:
    return {
        "query": models.NearestQuery(nearest=to_vector(nearest.vector)),
        "using": nearest.using,
        "params": _params(nearest.params),
    }


def _prefetch(nearest: Nearest, filter: models.Filter | None) -> models.Prefetch:
    return models.Prefetch(
        **_nearest(nearest), filter=filter, limit=nearest.limit, score_threshold=nearest.score_threshold
    )


def _params(params: SearchParams) -> models.SearchParams:
    quantization = None
    if params.rescore is not None or params.oversampling is not None:
        quantization = models.QuantizationSearchParams(rescore=params.rescore, oversampling=params.oversampling)
    return models.SearchParams(hnsw_ef=params.hnsw_ef, exact=params.exact, quantization=quantization)


def _fusion(fusion: Fusion, prefetches: int) -> models.RrfQuery | models.FusionQuery:
    if not isinstance(fusion, Rrf):
        return models.FusionQuery(fusion=models.Fusion.DBSF)
    if fusion.k < 1:
        raise InvalidInput(f"rrf: k is 1 or more, not {fusion.k}")
    if fusion.weights is not None and len(fusion.weights) != prefetches:
        raise InvalidInput(f"rrf: {len(fusion.weights)} weights for {prefetches} prefetches; give one each")
    return models.RrfQuery(rrf=models.Rrf(k=fusion.k, weights=fusion.weights))


def _conditions(conditions: list[Condition] | None) -> list[models.Condition] | None:
    return None if conditions is None else [_condition(condition) for condition in conditions]


def _condition(condition: Condition) -> models.Condition:
    if condition.key is not None:
        return _field(condition, condition.key)
    if condition.is_empty is not None:
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=condition.is_empty.key))
    if condition.is_null is not None:
        return models.IsNullCondition(is_null=models.PayloadField(key=condition.is_null.key))
    if condition.has_id is not None:
        return models.HasIdCondition(has_id=list(condition.has_id))
    if condition.nested is not None:
        return models.NestedCondition(
            nested=models.Nested(key=condition.nested.key, filter=to_filter(condition.nested.filter))
        )
    return to_filter(condition)


def _field(condition: Condition, key: str) -> models.FieldCondition:
    radius, box, counted = condition.geo_radius, condition.geo_bounding_box, condition.values_count
    return models.FieldCondition(
        key=key,
        match=condition.match and _match(condition.match),
        range=condition.range and _range(condition.range),
        geo_radius=radius and models.GeoRadius(center=_place(radius.center), radius=radius.radius),
        geo_bounding_box=box
        and models.GeoBoundingBox(top_left=_place(box.top_left), bottom_right=_place(box.bottom_right)),
        values_count=counted and models.ValuesCount(gt=counted.gt, gte=counted.gte, lt=counted.lt, lte=counted.lte),
    )


def _match(match: Match) -> models.Match:
    if match.value is not None:
        return models.MatchValue(value=match.value)
    if match.any is not None:
        return models.MatchAny.model_validate({"any": match.any})
    if match.except_ is not None:
        return models.MatchExcept.model_validate({"except": match.except_})
    return models.MatchText(text=match.text or "")


def _range(bounds: Range) -> models.RangeInterface:
    given = {name: bound for name in ("gt", "gte", "lt", "lte") if (bound := getattr(bounds, name)) is not None}
    if any(isinstance(bound, str) for bound in given.values()):
        return models.DatetimeRange(**{name: _moment(bound) for name, bound in given.items()})
    return models.Range(**given)


def _moment(bound: float | str) -> datetime:
    moment = parse_datetime(bound) if isinstance(bound, str) else None
    if moment is None:
        raise InvalidFilter(f"range: not an RFC 3339 date-time: {bound!r}")
    return moment


def _place(point: GeoPoint) -> models.GeoPoint:
    return models.GeoPoint(lon=point.lon, lat=point.lat)
