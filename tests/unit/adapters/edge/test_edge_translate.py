"""What only the engine finds wrong is said in the domain's errors, and its exceptions are understood."""

from array import array
from pathlib import Path

import pytest
import qdrant_edge as qe

from vectis.adapters.edge import wire
from vectis.adapters.edge.refusals import meaning
from vectis.adapters.edge.translate import Plan, engine_filter, shard_config
from vectis.domain.errors import EmptyQuery, InvalidFilter, InvalidInput, InvalidVector, VectisError, WrongDimension
from vectis.domain.filters import Condition, Filter, GeoPoint, GeoRadius, Match, Range
from vectis.domain.queries import EngineQuery, Nearest, Rrf
from vectis.domain.schema import CollectionSchema, DenseParams, Distance, SparseParams

SCHEMA = CollectionSchema(
    dense={"dense": DenseParams(size=2), "far": DenseParams(size=2, distance=Distance.EUCLID)},
    sparse={"sparse": SparseParams()},
)


@pytest.fixture
def shard(tmp_path: Path) -> qe.EdgeShard:
    return qe.EdgeShard.create(str(tmp_path), shard_config(SCHEMA, search_threads=1, indexing_threads=1))


@pytest.mark.parametrize(
    "condition",
    [
        Condition(key="broken[", match=Match(value="x")),
        Condition(key="day", range=Range(gte="the day after tomorrow")),
        Condition(key="place", geo_radius=GeoRadius(center=GeoPoint(lon=500.0, lat=0.0), radius=1.0)),
        Condition(key="mixed", match=Match(any=["a", 1])),
    ],
)
def test_filters_that_only_the_engine_finds_wrong(condition: Condition) -> None:
    with pytest.raises(InvalidFilter):
        engine_filter(Filter(must=[condition]))


def plan(query: EngineQuery) -> tuple[Plan, wire.Parts]:
    body, vectors = wire.outline(query)
    return Plan(body, SCHEMA, 0), vectors


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (EngineQuery((), 3), EmptyQuery),
        (EngineQuery((Nearest(array("f", [1.0]), "dense", 3),), 3), WrongDimension),
        (EngineQuery((Nearest(array("f", [1.0, 2.0]), "sparse", 3),), 3), InvalidVector),
        (EngineQuery((Nearest(array("f", [1.0, 2.0]), "dense", 3),) * 2, 3), InvalidInput),
        (EngineQuery((Nearest(array("f", [1.0, 2.0]), "dense", 3),), 3, fusion=Rrf(weights=[1.0, 2.0])), InvalidInput),
    ],
)
def test_queries_that_cannot_run(query: EngineQuery, error: type[VectisError]) -> None:
    with pytest.raises(error):  # noqa: PT012 - either step may find it
        ready, vectors = plan(query)
        ready.request(vectors)


def test_the_stricter_threshold_holds() -> None:
    for using, strict in (("dense", 0.9), ("far", 0.1)):
        for one, other in ((0.1, 0.9), (0.9, 0.1)):
            nearest = Nearest(array("f", [1.0, 2.0]), using, 3, score_threshold=one)
            ready, vectors = plan(EngineQuery((nearest,), 3, score_threshold=other))
            assert ready.request(vectors).score_threshold == pytest.approx(strict)


def test_the_engines_own_refusals_are_understood(shard: qe.EdgeShard) -> None:
    wrong = [
        (qe.Query.Nearest([1.0], "dense"), WrongDimension),
        (qe.Query.Nearest([1.0, 2.0], "absent"), InvalidVector),
        (qe.Query.Nearest([1.0, 2.0], "sparse"), InvalidVector),
    ]
    shard.update(qe.UpdateOperation.upsert_points([qe.Point(1, {"dense": [1.0, 2.0]}, {})]))
    for query, expected in wrong:
        with pytest.raises(Exception) as raised:  # noqa: PT011 - the engine has no class of its own
            shard.query(qe.QueryRequest(limit=1, query=query))
        assert type(meaning(raised.value)) is expected
    assert meaning(RuntimeError("something else")) is None
