"""What is the memory engine's own: it shares nothing with its callers, and its parts take odd input. The rest is conformance."""

from array import array
from typing import Any

import pytest

from vectis.adapters.memory import paths, scoring
from vectis.adapters.memory.engine import MemoryEngine
from vectis.domain.points import Point, SparseVector
from vectis.domain.schema import CollectionSchema, DenseParams, Distance, SparseParams

SCHEMA = CollectionSchema(
    dense={"dense": DenseParams(size=2, distance=Distance.DOT)}, sparse={"sparse": SparseParams()}, quantization=None
)


async def test_callers_cannot_change_what_is_stored() -> None:
    engine = MemoryEngine()
    await engine.create("docs", SCHEMA)
    payload: dict[str, Any] = {"list": [1]}
    vectors = {"dense": array("f", [1, 2]), "sparse": SparseVector([2, 1], [0.5, 1.0])}
    await engine.upsert("docs", [Point(1, vectors, payload)])
    payload["list"].append(2)
    vectors["dense"][0] = 9
    for _ in range(2):
        (record,) = await engine.retrieve("docs", [1], with_vectors=True)
        assert record.payload == {"list": [1]}
        assert record.vectors == {"dense": array("f", [1, 2]), "sparse": SparseVector([1, 2], [1.0, 0.5])}
        record.payload["list"].append(3)
        record.vectors["dense"][0] = 7


async def test_engines_share_nothing() -> None:
    first, second = MemoryEngine(), MemoryEngine()
    await first.create("docs", SCHEMA)
    assert await second.names() == []


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("a", ("a",)),
        ("a.b-c_d", ("a", "b-c_d")),
        ("a[].b", ("a", None, "b")),
        ("a[0][12].b", ("a", 0, 12, "b")),
        ('"a key"."b.c"[]', ("a key", "b.c", None)),
        ("größe.検索", ("größe", "検索")),
    ],
)
def test_paths(path: str, steps: tuple[object, ...]) -> None:
    assert paths.parse(path) == steps


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "[0]", "a[", "a[x]", "a[-1]", "a b", 'a"', '""', "a[]b"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="payload path"):
        paths.parse(path)


def test_projections_overlap() -> None:
    payload = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert paths.project(payload, paths.projection(("a", "a.b"))) == {"a": {"b": 1, "c": 2}}
    assert paths.project(payload, paths.projection(("a.b", "a"))) == {"a": {"b": 1, "c": 2}}
    assert paths.project(payload, paths.projection(("a.b", "a.c", "d[0]"))) == {"a": {"b": 1, "c": 2}, "d": []}


def test_a_zero_vector_stays_zero() -> None:
    assert scoring.normalised(array("f", [0, 0])) == array("f", [0, 0])
    assert scoring.normalised(array("f", [3e38, 0])) == array("f", [1, 0])
    assert list(scoring.normalised(array("f", [1e-30, 0]))) == pytest.approx([1, 0])


def test_dbsf_of_equal_scores() -> None:
    assert scoring.dbsf([[(1, 2.0), (2, 2.0)], [(2, 7.0)], []]) == [(2, 1.0), (1, 0.5)]


def test_ids_sort_integers_before_uuids() -> None:
    uuid = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
    assert sorted([uuid, 10, 9], key=scoring.id_order) == [9, 10, uuid]
