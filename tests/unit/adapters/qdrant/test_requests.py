"""What is sent to a Qdrant server, as JSON by HTTP and as it is converted for gRPC."""

from array import array
from typing import Any

import msgspec
import pytest
from qdrant_client import models
from qdrant_client.conversions.conversion import RestToGrpc

from vectis.adapters.qdrant.requests import to_filter, to_point, to_request, to_settings
from vectis.domain.filters import Filter
from vectis.domain.points import Point, SparseVector
from vectis.domain.queries import Dbsf, EngineQuery, Nearest, Rrf, SearchParams
from vectis.domain.schema import (
    CollectionSchema,
    DenseParams,
    Distance,
    HnswParams,
    OptimizerParams,
    ScalarQuantization,
    SparseParams,
)

FILTER = {
    "must": [
        {"key": "a.b", "match": {"value": True}},
        {"key": "n", "match": {"any": [1, 2]}},
        {"key": "n", "match": {"except": ["x"]}},
        {"key": "t", "match": {"text": "some words"}},
        {"key": "n", "range": {"gte": 1.0, "lt": 5.0}},
        {"key": "g", "geo_radius": {"center": {"lon": 1.0, "lat": 2.0}, "radius": 3.0}},
        {
            "key": "g",
            "geo_bounding_box": {"top_left": {"lon": 1.0, "lat": 2.0}, "bottom_right": {"lon": 3.0, "lat": 1.0}},
        },
        {"key": "v", "values_count": {"gt": 1, "lte": 3}},
    ],
    "should": [
        {"is_empty": {"key": "e"}},
        {"is_null": {"key": "e"}},
        {"has_id": [1, "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"]},
    ],
    "must_not": [
        {"nested": {"key": "items", "filter": {"must": [{"key": "k", "match": {"value": "v"}}]}}},
        {"should": [{"key": "n", "match": {"value": 5}}]},
    ],
}


def sent(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_a_filter_is_sent_as_it_was_written() -> None:
    filter = to_filter(msgspec.convert(FILTER, Filter))
    assert sent(filter) == FILTER
    assert len(RestToGrpc.convert_filter(filter).must) == 8


def test_date_times_keep_their_zone() -> None:
    written = {"must": [{"key": "at", "range": {"gte": "2024-06-01T12:00:00+02:00", "lt": "2024-06-02"}}]}
    filter = to_filter(msgspec.convert(written, Filter))
    bounds = RestToGrpc.convert_filter(filter).must[0].field.datetime_range
    assert bounds.gte.ToJsonString() == "2024-06-01T10:00:00Z"
    assert bounds.lt.ToJsonString() == "2024-06-02T00:00:00Z"


def test_all_settings_of_a_schema_are_sent() -> None:
    schema = CollectionSchema(
        dense={"dense": DenseParams(size=3, distance=Distance.EUCLID, on_disk=True)},
        sparse={
            "bm25": SparseParams(idf=True, on_disk=True, full_scan_threshold=7),
            "plain": SparseParams(idf=False),
        },
        hnsw=HnswParams(m=8, ef_construct=50, full_scan_threshold=99, max_indexing_threads=2),
        quantization=ScalarQuantization(quantile=0.95, always_ram=False),
        optimizers=OptimizerParams(
            deleted_threshold=0.3,
            vacuum_min_vector_number=200,
            default_segment_number=3,
            max_segment_size=1000,
            memmap_threshold=2000,
            indexing_threshold=3000,
            flush_interval_sec=9,
            max_optimization_threads=2,
        ),
    )
    settings = to_settings(schema)
    dense, terms, plain = settings["vectors_config"]["dense"], *settings["sparse_vectors_config"].values()
    assert sent(dense) == {"size": 3, "distance": "Euclid", "on_disk": True}
    assert sent(terms) == {"index": {"full_scan_threshold": 7, "on_disk": True}, "modifier": "idf"}
    assert sent(plain)["modifier"] == "none"
    assert sent(settings["hnsw_config"]) == msgspec.to_builtins(schema.hnsw)
    assert sent(settings["optimizers_config"]) == msgspec.to_builtins(schema.optimizers)
    assert sent(settings["quantization_config"]) == {"scalar": {"type": "int8", "quantile": 0.95, "always_ram": False}}


def test_automatic_threads_are_not_sent_as_none() -> None:
    settings = to_settings(CollectionSchema(quantization=None))
    assert sent(settings["optimizers_config"])["max_optimization_threads"] == "auto"
    assert settings["quantization_config"] is None


def test_a_point() -> None:
    point = Point(1, {"dense": array("f", [1, 2]), "sparse": SparseVector([3, 9], [0.5, 1.0])}, {"k": [1, None]})
    assert sent(to_point(7, point)) == {
        "id": 7,
        "vector": {"dense": [1.0, 2.0], "sparse": {"indices": [3, 9], "values": [0.5, 1.0]}},
        "payload": {"k": [1, None]},
    }


DENSE = Nearest(array("f", [1, 2]), "dense", 50, SearchParams(hnsw_ef=64, rescore=True, oversampling=2.0))
TERMS = Nearest(SparseVector([1], [1.0]), "sparse", 20, SearchParams(exact=True), score_threshold=0.25)
ONLY = msgspec.convert({"must": [{"key": "k", "match": {"value": 1}}]}, Filter)


def test_a_plain_query() -> None:
    request = to_request(EngineQuery((DENSE,), 10, offset=5, filter=ONLY, score_threshold=0.5, with_payload=["a"]))
    assert sent(request) == {
        "query": {"nearest": [1.0, 2.0]},
        "using": "dense",
        "filter": {"must": [{"key": "k", "match": {"value": 1}}]},
        "params": {
            "hnsw_ef": 64,
            "exact": False,
            "indexed_only": False,
            "quantization": {"ignore": False, "rescore": True, "oversampling": 2.0},
        },
        "score_threshold": 0.5,
        "limit": 10,
        "offset": 5,
        "with_vector": False,
        "with_payload": ["a"],
    }


@pytest.mark.parametrize(
    ("limit", "offset", "asked"), [(10, 45, 5), (10, 50, None), (10, 99, None), (0, 0, None), (100, 0, 50)]
)
def test_a_prefetch_bounds_the_answer(limit: int, offset: int, asked: int | None) -> None:
    request = to_request(EngineQuery((DENSE,), limit, offset))
    assert (request and request.limit) == asked


def test_a_hybrid_query() -> None:
    query = EngineQuery((DENSE, TERMS), 10, fusion=Rrf(k=7, weights=[3.0, 1.0]), filter=ONLY, score_threshold=0.01)
    request = to_request(query)
    assert request is not None
    body = sent(request)
    assert body["query"] == {"rrf": {"k": 7, "weights": [3.0, 1.0]}}
    assert "filter" not in body
    assert body["score_threshold"] == 0.01
    first, second = body["prefetch"]
    assert first["filter"] == second["filter"] == {"must": [{"key": "k", "match": {"value": 1}}]}
    assert (first["using"], first["limit"]) == ("dense", 50)
    assert "score_threshold" not in first
    assert (second["using"], second["limit"], second["score_threshold"]) == ("sparse", 20, 0.25)
    assert second["query"] == {"nearest": {"indices": [1], "values": [1.0]}}
    assert second["params"]["exact"] is True
    assert "quantization" not in second["params"]
    converted = RestToGrpc.convert_query_request(request, "docs")
    assert len(converted.prefetch) == 2
    assert converted.query.rrf.k == 7


def test_dbsf() -> None:
    request = to_request(EngineQuery((DENSE, TERMS), 10, fusion=Dbsf()))
    assert request is not None
    assert request.query == models.FusionQuery(fusion=models.Fusion.DBSF)
