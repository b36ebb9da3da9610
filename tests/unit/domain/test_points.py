"""Dense vectors from numbers and from raw bytes, and the ids of points."""

import struct
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.domain.errors import InvalidInput, InvalidVector
from vectis.domain.points import PointId, canonical_id, dense

FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50)


@given(FLOATS)
def test_numbers_and_raw_bytes_give_the_same_vector(values: list[float]) -> None:
    vector = dense(values)
    assert vector.typecode == "f"
    assert list(vector) == values
    assert dense(struct.pack(f"<{len(values)}f", *values)) == vector


@pytest.mark.parametrize("bad", [nan, inf, -inf, 1e39], ids=["nan", "inf", "-inf", "beyond float32"])
@pytest.mark.parametrize("at", [0, 2])
def test_every_value_must_be_finite(bad: float, at: int) -> None:
    values = [1.0, 2.0, 3.0]
    values[at] = bad
    with pytest.raises(InvalidVector) as caught:
        dense(values, field="points[3].vector")
    assert caught.value.fields["field"] == "points[3].vector"


def test_opposite_infinities_do_not_cancel() -> None:
    with pytest.raises(InvalidVector):
        dense([inf, -inf])


def test_raw_bytes_are_checked_too() -> None:
    with pytest.raises(InvalidVector):
        dense(struct.pack("<2f", 1.0, nan))
    for length in (1, 3, 5):
        with pytest.raises(InvalidVector, match="divides by 4"):
            dense(bytes(length))


@pytest.mark.parametrize("values", [[3.4e38, 3.4e38], [-3.4e38, -3.4e38, -3.4e38]])
def test_large_finite_values_are_kept(values: list[float]) -> None:
    assert list(dense(values)) == pytest.approx(values)


def test_nothing_gives_an_empty_vector() -> None:
    assert len(dense([])) == len(dense(b"")) == 0


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(0, 0), (2**64 - 1, 2**64 - 1), ("A" * 32, "-".join(("aaaaaaaa", "aaaa", "aaaa", "aaaa", "a" * 12)))],
)
def test_point_ids(sent: PointId, kept: PointId) -> None:
    assert canonical_id(sent) == kept


@pytest.mark.parametrize("bad", [-1, 2**64, True, "abc", ""])
def test_point_ids_that_are_none(bad: PointId) -> None:
    with pytest.raises(InvalidInput):
        canonical_id(bad)
