"""Points and what an engine gives back. Checks that need a collection's schema live in schema.py."""

from array import array
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec

from vectis.domain.errors import InvalidInput, InvalidVector

PointId = int | str
"""An unsigned 64-bit integer or the canonical text of a UUID."""

if TYPE_CHECKING:
    Dense = array[float]
else:
    Dense = array  # not subscriptable before Python 3.12
"""A dense vector: `array('f')`, float32, shape (dimension,)."""

ID_MAX = 2**64 - 1

Payload = dict[str, Any]
"""JSON attributes of a point."""

PAYLOAD_DEPTH_MAX = 32
"""Levels of a payload. The engine keeps deeper ones in a log that it cannot read back: the collection would not open again."""


class SparseVector(msgspec.Struct, frozen=True):
    """Non-zero positions and their weights, both of shape (terms,), positions unique."""

    indices: list[int]
    values: list[float]


Vector = Dense | SparseVector
Vectors = dict[str, Vector]


class Point(msgspec.Struct, frozen=True):
    """One record: id, named vectors, payload."""

    id: PointId
    vectors: Vectors
    payload: Payload = {}


class ScoredPoint(msgspec.Struct, frozen=True):
    """A point with the engine's score for one query; payload and vectors only when asked for."""

    id: PointId
    score: float
    payload: Payload | None = None
    vectors: Vectors | None = None


class Record(msgspec.Struct, frozen=True):
    """A stored point as read back; payload and vectors only when asked for."""

    id: PointId
    payload: Payload | None = None
    vectors: Vectors | None = None


class Page(msgspec.Struct, frozen=True):
    """Records in id order; `next_offset` is the id that the next page begins with, None at the end."""

    points: list[Record]
    next_offset: PointId | None = None


def canonical_id(id: PointId, *, at: str = "id") -> PointId:
    """The id as engines keep it. Raises InvalidInput, naming `at`, for what is no unsigned 64-bit integer and no UUID."""
    if isinstance(id, int) and not isinstance(id, bool) and 0 <= id <= ID_MAX:
        return id
    if isinstance(id, str):
        with suppress(ValueError):
            return str(UUID(id))
    raise InvalidInput(f"{at}: a point id is an unsigned 64-bit integer or a UUID, not {str(id)[:60]!r}", field=at)


def dense(values: list[float] | bytes, *, field: str = "vector") -> Dense:
    """A dense vector from numbers or from raw little-endian float32.

    Raises InvalidVector when bytes do not divide by four, or when a value is NaN or infinite in float32.
    """
    try:
        vector = array("f", values)
    except ValueError:
        raise InvalidVector(
            f"{field}: raw vectors are float32, so their length in bytes divides by 4", field=field
        ) from None
    if not isfinite(sum(vector)):
        raise InvalidVector(f"{field}: every value must be a finite float32 number (no NaN, no infinity)", field=field)
    return vector


def check_payload(payload: Payload, *, at: str = "payload") -> None:
    """Refuse, as InvalidInput, what an engine or a database would refuse later, or keep and be unable to read again."""
    waiting: list[tuple[str, dict[str, Any] | list[Any], int]] = [(at, payload, 1)]
    while waiting:
        at, holder, depth = waiting.pop()
        if depth > PAYLOAD_DEPTH_MAX:
            raise InvalidInput(
                f"{at}: a payload is nested {PAYLOAD_DEPTH_MAX} deep at most", field=at, maximum=PAYLOAD_DEPTH_MAX
            )
        for key, value in holder.items() if isinstance(holder, dict) else (("", each) for each in holder):
            place = f"{at}.{key}"[:200] if key else at
            if "\x00" in key:
                raise InvalidInput(f"{place} has a NUL character in its name; leave it out", field=place)
            if isinstance(value, dict | list):
                waiting.append((place, cast("dict[str, Any] | list[Any]", value), depth + 1))
            elif wrong := _wrong(value):
                raise InvalidInput(f"{place} {wrong}", field=place)


def _wrong(value: object) -> str:
    """What is wrong with a value that holds no others; empty when nothing is."""
    if isinstance(value, str):
        return "holds a NUL character; leave it out" if "\x00" in value else ""
    if isinstance(value, float):
        return "" if isfinite(value) else "is not a finite number"
    if isinstance(value, int):
        return "" if -(2**63) <= value <= ID_MAX else "is an integer beyond 64 bits; send it as a string"
    return "" if value is None else "is no JSON value"
