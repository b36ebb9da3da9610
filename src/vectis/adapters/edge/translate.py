"""Filters, queries, schemas and points of the domain as objects of Qdrant Edge, and back. No state, no files."""

import math
from array import array
from collections.abc import Iterable, Sequence
from os import cpu_count
from typing import Any, cast

import msgspec
import qdrant_edge as qe

from vectis.adapters.edge.wire import Leg, Outline, Parts
from vectis.domain import filters
from vectis.domain.errors import EmptyQuery, InvalidFilter, InvalidInput, InvalidVector, WrongDimension
from vectis.domain.points import canonical_id
from vectis.domain.queries import Rrf, SearchParams
from vectis.domain.schema import CollectionSchema, Distance, PayloadIndexKind

_DISTANCES = {
    Distance.COSINE: qe.Distance.Cosine,
    Distance.DOT: qe.Distance.Dot,
    Distance.EUCLID: qe.Distance.Euclid,
    Distance.MANHATTAN: qe.Distance.Manhattan,
}
_SMALLER_IS_NEARER = frozenset({Distance.EUCLID, Distance.MANHATTAN})
_INDEX_TYPES = {
    PayloadIndexKind.KEYWORD: qe.PayloadSchemaType.Keyword,
    PayloadIndexKind.INTEGER: qe.PayloadSchemaType.Integer,
    PayloadIndexKind.FLOAT: qe.PayloadSchemaType.Float,
    PayloadIndexKind.BOOL: qe.PayloadSchemaType.Bool,
    PayloadIndexKind.DATETIME: qe.PayloadSchemaType.Datetime,
    PayloadIndexKind.GEO: qe.PayloadSchemaType.Geo,
    PayloadIndexKind.TEXT: qe.PayloadSchemaType.Text,
    PayloadIndexKind.UUID: qe.PayloadSchemaType.Uuid,
}

_decode_outline = msgspec.msgpack.Decoder(Outline).decode


def search_threads() -> int:
    """Threads that look through the segments of a shard: half the processors, the others are for the processes that ask."""
    return max(1, (cpu_count() or 1) // 2)


def shard_config(schema: CollectionSchema, *, search_threads: int, indexing_threads: int) -> qe.EdgeConfig:
    """The engine's configuration for `schema`."""
    quantization = schema.quantization
    return qe.EdgeConfig(
        vectors={
            name: qe.EdgeVectorParams(
                params.size, _DISTANCES[params.distance], memory=qe.Memory.Cold if params.on_disk else None
            )
            for name, params in schema.dense.items()
        },
        sparse_vectors={
            name: qe.EdgeSparseVectorParams(
                full_scan_threshold=params.full_scan_threshold,
                modifier=qe.Modifier.Idf if params.idf else None,
                memory=qe.Memory.Cold if params.on_disk else None,
            )
            for name, params in schema.sparse.items()
        },
        hnsw_config=qe.HnswIndexConfig(
            m=schema.hnsw.m,
            ef_construct=schema.hnsw.ef_construct,
            full_scan_threshold=schema.hnsw.full_scan_threshold,
            max_indexing_threads=indexing_threads,
        ),
        quantization_config=qe.ScalarQuantizationConfig(
            qe.ScalarType.Int8, quantile=quantization.quantile, always_ram=quantization.always_ram
        )
        if quantization
        else None,
        optimizers=qe.EdgeOptimizersConfig(
            deleted_threshold=schema.optimizers.deleted_threshold,
            vacuum_min_vector_number=schema.optimizers.vacuum_min_vector_number,
            default_segment_number=schema.optimizers.default_segment_number,
            max_segment_size=schema.optimizers.max_segment_size,
            indexing_threshold=schema.optimizers.indexing_threshold,
        ),
        max_search_threads=search_threads,
    )


def index_operation(key: str, kind: PayloadIndexKind) -> qe.UpdateOperation:
    """The update that indexes `key`. InvalidInput when `key` is no path."""
    try:
        return qe.UpdateOperation.create_field_index(key, _INDEX_TYPES[kind])
    except ValueError as error:
        raise InvalidInput(f"payload index {key[:80]!r}: {error}", key=key[:80]) from None


def index_kinds(info: "qe.ShardInfo") -> dict[str, PayloadIndexKind]:
    """The payload indexes that a shard has."""
    kinds = {str(engine): kind for kind, engine in _INDEX_TYPES.items()}
    return {key: kinds[str(index.data_type)] for key, index in sorted(info.payload_schema.items())}


def engine_vector(parts: Parts) -> Any:
    """A vector as the engine takes it: it reads arrays faster than lists."""
    if len(parts) == 1:
        return array("f", parts[0])
    return qe.SparseVector(cast(list[int], array("I", parts[0])), cast(list[float], array("f", parts[1])))


def raw_vectors(vector: Any) -> dict[str, Parts]:
    """Named vectors as the engine gives them, raw."""
    named = cast(dict[str, Any], vector or {})
    return {name: _raw_vector(value) for name, value in named.items()}


def engine_filter(node: filters.Filter | filters.Condition) -> qe.Filter:
    """The filter for the engine. InvalidFilter for what only the engine finds wrong (a date, a place, a path)."""
    try:
        return qe.Filter(
            must=_conditions(node.must), should=_conditions(node.should), must_not=_conditions(node.must_not)
        )
    except (ValueError, TypeError) as error:
        raise InvalidFilter(f"filter: {str(error).splitlines()[0]}") from None


class Plan:
    """An outline translated once for one schema and size; `request` joins it with the vectors of each query."""

    __slots__ = ("_arguments", "_filter", "_fusion", "_legs", "parts", "with_payload", "with_vectors")

    def __init__(self, body: bytes, schema: CollectionSchema, graph_points: int) -> None:
        outline = _decode_outline(body)
        if not outline.legs:
            raise EmptyQuery("query: there is no vector to search for; give at least one prefetch")
        if outline.fusion is None and len(outline.legs) > 1:
            raise InvalidInput("query: several prefetches need a fusion, rrf or dbsf")
        self.parts = sum(2 if leg.sparse else 1 for leg in outline.legs)
        self.with_payload = outline.with_payload not in (False, [])
        self.with_vectors = outline.with_vectors not in (False, [])
        self._filter = engine_filter(outline.filter) if outline.filter is not None else None
        self._fusion = _fusion(outline)
        self._legs = [(leg, _expected_bytes(leg, schema), _params(leg.params, graph_points)) for leg in outline.legs]
        limit, threshold = outline.limit, outline.score_threshold
        if self._fusion is None:
            leg = outline.legs[0]
            limit = max(0, min(limit, leg.limit - outline.offset))
            threshold = _stricter(threshold, leg.score_threshold, leg, schema)
        self._arguments: dict[str, Any] = {
            "limit": limit,
            "offset": outline.offset,
            "score_threshold": threshold,
            "with_payload": outline.with_payload,
            "with_vector": outline.with_vectors,
        }

    def request(self, vectors: Sequence[bytes]) -> qe.QueryRequest:
        """The query with its vectors. WrongDimension or InvalidVector when they do not fit."""
        if self._fusion is None:
            leg, expected, params = self._legs[0]
            query = qe.Query.Nearest(_checked(leg, expected, vectors), leg.using)
            return qe.QueryRequest(query=query, params=params, filter=self._filter, **self._arguments)
        prefetches: list[qe.Prefetch] = []
        at = 0
        for leg, expected, params in self._legs:
            width = 2 if leg.sparse else 1
            query = qe.Query.Nearest(_checked(leg, expected, vectors[at : at + width]), leg.using)
            at += width
            prefetches.append(
                qe.Prefetch(leg.limit, query, params=params, filter=self._filter, score_threshold=leg.score_threshold)
            )
        return qe.QueryRequest(query=self._fusion, prefetches=prefetches, **self._arguments)


def _checked(leg: Leg, expected: int, vectors: Sequence[bytes]) -> Any:
    if leg.sparse:
        indices, values = array("I", vectors[0]), array("f", vectors[1])
        if len(indices) != len(values) or len(set(indices)) != len(indices):
            raise InvalidVector(
                f"query.{leg.using}: indices are unique and as many as values", at="query", vector=leg.using
            )
        return qe.SparseVector(cast(list[int], indices), cast(list[float], values))
    if len(vectors[0]) != expected:
        raise WrongDimension(
            f"query.{leg.using}: the vector has {len(vectors[0]) // 4} dimensions, the collection has {expected // 4}",
            at="query",
            vector=leg.using,
            given=len(vectors[0]) // 4,
            expected=expected // 4,
        )
    return array("f", vectors[0])


def _expected_bytes(leg: Leg, schema: CollectionSchema) -> int:
    if leg.sparse and leg.using in schema.sparse:
        return 0
    if not leg.sparse and leg.using in schema.dense:
        return 4 * schema.dense[leg.using].size
    known = [f"{name} (dense, {p.size})" for name, p in schema.dense.items()]
    known += [f"{name} (sparse)" for name in schema.sparse]
    kind = "sparse" if leg.sparse else "dense"
    raise InvalidVector(
        f"query: the collection has no {kind} vector {leg.using[:60]!r}; it has {', '.join(known) or 'none'}",
        at="query",
        vector=leg.using[:60],
    )


def _params(params: SearchParams, graph_points: int) -> qe.SearchParams:
    quantization = None
    if params.rescore is not None or params.oversampling is not None:
        quantization = qe.QuantizationSearchParams(rescore=params.rescore, oversampling=params.oversampling)
    return qe.SearchParams(hnsw_ef=params.effort(graph_points), exact=params.exact, quantization=quantization)


def _fusion(outline: Outline) -> Any:
    if outline.fusion is None:
        return None
    if not isinstance(outline.fusion, Rrf):
        return qe.Fusion.Dbsf()
    k, weights = outline.fusion.k, outline.fusion.weights
    if k < 1:
        raise InvalidInput(f"fusion: k is 1 or more, not {k}", k=k)
    if weights is not None and len(weights) != len(outline.legs):
        raise InvalidInput(f"fusion: {len(weights)} weights for {len(outline.legs)} prefetches")
    return qe.Fusion.Rrf(k, weights)


def _stricter(a: float | None, b: float | None, leg: Leg, schema: CollectionSchema) -> float | None:
    if a is None or b is None:
        return b if a is None else a
    smaller = not leg.sparse and schema.dense[leg.using].distance in _SMALLER_IS_NEARER
    return min(a, b) if smaller else max(a, b)


def _raw_vector(value: Any) -> Parts:
    if isinstance(value, qe.SparseVector):
        return [array("I", value.indices).tobytes(), array("f", value.values).tobytes()]
    return [array("f", value).tobytes()]


def _conditions(conditions: Iterable[filters.Condition] | None) -> list[Any] | None:
    return [_condition(c) for c in conditions] if conditions else None


def _condition(c: filters.Condition) -> Any:
    if c.key is not None:
        return _key_condition(c, c.key)
    if c.is_empty is not None:
        return qe.IsEmptyCondition(c.is_empty.key)
    if c.is_null is not None:
        return qe.IsNullCondition(c.is_null.key)
    if c.has_id is not None:
        return qe.HasIdCondition({canonical_id(i) for i in c.has_id})
    if c.nested is not None:
        return qe.NestedCondition(c.nested.key, engine_filter(c.nested.filter))
    return engine_filter(c)


def _key_condition(c: filters.Condition, key: str) -> qe.FieldCondition:
    if c.match is not None:
        return qe.FieldCondition(key, match=_match(c.match))
    if c.range is not None:
        return qe.FieldCondition(key, range=_range(c.range))
    if c.geo_radius is not None:
        if not (math.isfinite(c.geo_radius.radius) and c.geo_radius.radius >= 0):
            raise InvalidFilter("filter: geo_radius.radius is a number of metres, 0 or more")
        return qe.FieldCondition(key, geo_radius=qe.GeoRadius(_geo(c.geo_radius.center), c.geo_radius.radius))
    if c.geo_bounding_box is not None:
        corners = (c.geo_bounding_box.top_left, c.geo_bounding_box.bottom_right)
        return qe.FieldCondition(key, geo_bounding_box=qe.GeoBoundingBox(*map(_geo, corners)))
    if c.values_count is not None:
        count = c.values_count
        return qe.FieldCondition(
            key, values_count=qe.ValuesCount(lt=count.lt, gt=count.gt, lte=count.lte, gte=count.gte)
        )
    raise InvalidFilter(f"filter: nothing is asked of key {key[:60]!r}")


def _match(match: filters.Match) -> Any:
    if match.any is not None:
        return qe.MatchAny(cast(list[str], match.any))
    if match.except_ is not None:
        return qe.MatchExcept(cast(list[str], match.except_))
    if match.text is not None:
        return qe.MatchText(match.text)
    if isinstance(match.value, bool):
        return qe.MatchValue(_engine_bool(match.value))
    if match.value is not None:
        return qe.MatchValue(match.value)
    raise InvalidFilter("filter: match: give exactly one of value, any, except, text")


def _engine_bool(value: bool) -> bool:
    """The engine takes Python's own True for the integer 1, but not NumPy's."""
    import numpy as np  # noqa: PLC0415 - a third of the time that the engine process takes to start

    return cast(bool, np.bool_(value))


def _range(bounds: filters.Range) -> Any:
    given = {k: v for k in ("gt", "gte", "lt", "lte") if (v := getattr(bounds, k)) is not None}
    if any(isinstance(v, str) for v in given.values()):
        return qe.RangeDateTime(**given)
    return qe.RangeFloat(**given)


def _geo(point: filters.GeoPoint) -> qe.GeoPoint:
    return qe.GeoPoint(point.lon, point.lat)
