"""Frames are the same however the stream was cut; errors and vectors arrive as they left."""

from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.adapters.edge import wire
from vectis.domain.errors import EngineUnavailable, InvalidInput, InvalidVector, TooLarge, VectisError, WrongDimension
from vectis.domain.points import SparseVector
from vectis.domain.queries import EngineQuery, Nearest, Rrf


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 40), min_size=1))
def test_frames_do_not_depend_on_chunks(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(wire.framed(body) for body in bodies)
    reader = wire.FrameReader(maximum=300)
    found: list[bytes] = []
    at = turn = 0
    while at < len(stream):
        chunk = stream[at : at + cuts[turn % len(cuts)]]
        found += [bytes(frame) for frame in reader.feed(chunk)]
        at += len(chunk)
        turn += 1
    assert found == bodies


def test_a_frame_beyond_the_maximum_is_refused_at_its_header() -> None:
    with pytest.raises(TooLarge):
        wire.FrameReader(maximum=10).feed(wire.HEADER.pack(11))


@pytest.mark.parametrize(
    "error",
    [WrongDimension("no", given=3, expected=4), EngineUnavailable("later", retry_after_s=2.5), InvalidInput("bad")],
)
def test_errors_arrive_as_the_same_class(error: VectisError) -> None:
    sent = msgspec.msgpack.decode(wire.encode(wire.refusal(error)))
    arrived = wire.raised(*sent)
    assert (type(arrived), arrived.message, arrived.fields) == (type(error), error.message, error.fields)


def test_vectors_arrive_as_they_left() -> None:
    dense = array("f", [1.5, -2.25])
    sparse = SparseVector([7, 2**32 - 1], [0.5, 1.0])
    assert wire.unraw(wire.raw(dense)) == dense
    assert wire.unraw(wire.raw(sparse)) == sparse


@pytest.mark.parametrize("index", [-1, 2**32])
def test_sparse_indices_have_32_bits(index: int) -> None:
    with pytest.raises(InvalidVector):
        wire.raw(SparseVector([index], [1.0]))


def test_payloads_hold_only_what_json_holds() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    for value in (2**70, object(), "\ud800", deep):
        with pytest.raises(InvalidInput):
            wire.encode_body({"key": value})


def test_outlines_of_queries_that_differ_in_vectors_alone_are_equal() -> None:
    def query(value: float) -> EngineQuery:
        legs = (Nearest(array("f", [value]), "dense", 3), Nearest(SparseVector([1], [value]), "sparse", 3))
        return EngineQuery(legs, 3, fusion=Rrf())

    (first, vectors), (second, _) = wire.outline(query(1.0)), wire.outline(query(2.0))
    assert first == second
    assert [len(part) for part in vectors] == [4, 4, 4]


def test_joined_values_decode_as_a_list() -> None:
    values: list[object] = [1, "two", [3]]
    assert msgspec.msgpack.decode(wire.joined([wire.encode(value) for value in values])) == values
