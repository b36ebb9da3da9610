"""Names, and vectors against a schema."""

from array import array
from typing import Any

import pytest

from vectis.domain.errors import InvalidName, InvalidVector, WrongDimension
from vectis.domain.points import SparseVector
from vectis.domain.schema import NAME_MAX, CollectionSchema, DenseParams, SparseParams, check_name, check_vectors

SCHEMA = CollectionSchema(dense={"dense": DenseParams(size=2)}, sparse={"sparse": SparseParams()})


@pytest.mark.parametrize("name", ["a", "7", "docs", "docs-2024_v1", "A" * NAME_MAX, "acme~docs", "a~" + "b" * 126])
def test_allowed_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "_a",
        "-a",
        "a b",
        "a/b",
        "..",
        "a.b",
        "größe",
        "²",
        "a\n",
        "a\0",
        "A" * (NAME_MAX + 1),
        "~",
        "~docs",
        "acme~",
        "acme~-docs",
        "acme~docs~x",
        "a~" + "b" * 127,
    ],
)
def test_refused_names(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_name(name, what="alias")
    assert caught.value.message.startswith("alias name")
    assert len(str(caught.value.fields["name"])) <= 140


def test_vectors_that_fit() -> None:
    check_vectors(SCHEMA, {}, at="points[0].vector")
    check_vectors(SCHEMA, {"dense": array("f", [1, 2]), "sparse": SparseVector([1, 2], [0.5, 1])}, at="x")
    check_vectors(SCHEMA, {"sparse": SparseVector([], [])}, at="x")


def test_a_wrong_dimension_says_both() -> None:
    with pytest.raises(WrongDimension) as caught:
        check_vectors(SCHEMA, {"dense": array("f", [1, 2, 3])}, at="points[4].vector")
    assert caught.value.fields == {"at": "points[4].vector", "vector": "dense", "given": 3, "expected": 2}
    assert "3 dimensions" in caught.value.message
    assert "has 2" in caught.value.message


@pytest.mark.parametrize(
    "vectors",
    [
        {"other": array("f", [1, 2])},
        {"sparse": array("f", [1, 2])},
        {"dense": SparseVector([1], [1.0])},
        {"other": SparseVector([1], [1.0])},
        {"sparse": SparseVector([1, 2], [1.0])},
        {"sparse": SparseVector([1, 1], [1.0, 1.0])},
    ],
    ids=range(6),
)
def test_vectors_that_do_not_fit(vectors: dict[str, Any]) -> None:
    with pytest.raises(InvalidVector) as caught:
        check_vectors(SCHEMA, vectors, at="points[0].vector")
    (name,) = vectors
    assert caught.value.fields == {"at": "points[0].vector", "vector": name}
    assert caught.value.message.startswith(f"points[0].vector.{name}: ")


def test_an_unknown_vector_is_told_the_known_ones() -> None:
    with pytest.raises(InvalidVector, match=r"dense \(dense, 2\); sparse \(sparse\)"):
        check_vectors(SCHEMA, {"other": array("f", [1])}, at="x")
    with pytest.raises(InvalidVector, match="it has none"):
        check_vectors(CollectionSchema(), {"other": array("f", [1])}, at="x")
