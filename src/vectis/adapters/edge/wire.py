"""The frames that client and engine process exchange over the Unix socket. Both ends use this module; neither's work is here.

A frame is its length (u32, little-endian) and msgpack. One request a frame; an answer frame holds any number of answers. Dense
vectors travel as raw float32, sparse ones as raw uint32 indices and raw float32 values.
"""

from array import array
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec

from vectis.domain.errors import InvalidInput, InvalidSetting, InvalidVector, TooLarge, VectisError
from vectis.domain.filters import Filter
from vectis.domain.points import PointId, SparseVector, Vector, Vectors
from vectis.domain.queries import EngineQuery, Fusion, SearchParams, Selector

REQUEST_MAX_BYTES = 64 << 20
ANSWER_MAX_BYTES = 512 << 20
SOCKET_PATH_MAX = 100
HEADER = Struct("<I")
_ARRAY_LENGTH = Struct(">I")

DONE = 0
REFUSED = 1
BROKEN = 2

Parts = list[bytes]
"""Raw vectors: one entry for a dense vector, two (indices, values) for a sparse one."""

FlatHits = tuple[list[PointId], list[float], list[dict[str, Any]] | None, list[dict[str, Parts]] | None]
"""The hits of one query as columns: ids, scores, payloads, vectors."""

FlatRecords = tuple[list[PointId], list[dict[str, Any]] | None, list[dict[str, Parts]] | None]
"""Records as columns: ids, payloads, vectors."""


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a client asks: `body` is msgpack that `op` gives a meaning; `vectors` are the raw vectors of queries, in order."""

    id: int
    op: str
    name: str
    body: bytes
    vectors: Parts


class Leg(msgspec.Struct, array_like=True, frozen=True):
    """A prefetch without its vector."""

    using: str
    limit: int
    sparse: bool
    params: SearchParams
    score_threshold: float | None


class Outline(msgspec.Struct, array_like=True, frozen=True):
    """A query without its vectors: what repeats from query to query, so that the engine process translates it once."""

    legs: list[Leg]
    limit: int
    offset: int
    fusion: Fusion | None
    filter: Filter | None
    score_threshold: float | None
    with_payload: Selector
    with_vectors: Selector


class WirePoint(msgspec.Struct, array_like=True, frozen=True):
    """A point as sent."""

    id: PointId
    vectors: dict[str, Parts]
    payload: dict[str, Any]


class Refusal(msgspec.Struct, array_like=True, frozen=True):
    """A VectisError as sent."""

    code: str
    message: str
    fields: dict[str, str | int | float | bool | None]


encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answers = msgspec.msgpack.Decoder().decode


class FrameReader:
    """Cuts a byte stream into frames. TooLarge when one announces more than `maximum` bytes."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._rest = bytearray()
        self._wanted = 0

    def feed(self, chunk: bytes) -> list[memoryview]:
        """The bodies of the frames that are complete now."""
        if self._rest:
            self._rest += chunk
            if len(self._rest) < self._wanted:
                return []
            chunk = bytes(self._rest)
            self._rest = bytearray()
        view = memoryview(chunk)
        frames: list[memoryview] = []
        at, end = 0, len(chunk)
        self._wanted = HEADER.size
        while end - at >= HEADER.size:
            size = HEADER.unpack_from(chunk, at)[0]
            if size > self._maximum:
                raise TooLarge(f"a frame of {size} bytes, the maximum is {self._maximum}", maximum=self._maximum)
            stop = at + HEADER.size + size
            if stop > end:
                self._wanted = stop - at
                break
            frames.append(view[at + HEADER.size : stop])
            at = stop
        if at < end:
            self._rest += view[at:]
        return frames


def check_socket_path(path: Path) -> None:
    """InvalidSetting when the operating system would cut the path of the socket."""
    length = len(bytes(path))
    if length > SOCKET_PATH_MAX:
        raise InvalidSetting(
            f"socket {path}: {length} bytes, the maximum for a Unix socket is {SOCKET_PATH_MAX}; use a shorter folder",
            maximum=SOCKET_PATH_MAX,
        )


def framed(body: bytes) -> bytes:
    """The frame around `body`."""
    return HEADER.pack(len(body)) + body


def encode_body(value: object) -> bytes:
    """Msgpack of what a caller gave. InvalidInput for what JSON-like data cannot hold, such as integers beyond 64 bits."""
    try:
        return encode(value)
    except (OverflowError, RecursionError, TypeError, ValueError) as error:
        raise InvalidInput(f"a payload holds a value that cannot be stored: {error}") from None


def joined(encoded: list[bytes]) -> bytes:
    """The msgpack array of values that are encoded already."""
    return b"\xdd" + _ARRAY_LENGTH.pack(len(encoded)) + b"".join(encoded)


def raw(vector: Vector) -> Parts:
    """The vector as raw bytes. InvalidVector when an index or a value does not fit 32 bits."""
    if not isinstance(vector, SparseVector):
        return [vector.tobytes()]
    try:
        return [array("I", vector.indices).tobytes(), array("f", vector.values).tobytes()]
    except (OverflowError, TypeError) as error:
        raise InvalidVector(f"sparse vector: indices are unsigned 32-bit integers, values numbers: {error}") from None


def unraw(parts: Parts) -> Vector:
    """The reverse of `raw`."""
    if len(parts) == 1:
        return array("f", parts[0])
    return SparseVector(array("I", parts[0]).tolist(), array("f", parts[1]).tolist())


def unraw_all(vectors: dict[str, Parts]) -> Vectors:
    """Named vectors of one point."""
    return {name: unraw(parts) for name, parts in vectors.items()}


def outline(query: EngineQuery) -> tuple[bytes, Parts]:
    """A query cut into what repeats and its raw vectors."""
    legs: list[tuple[object, ...]] = []
    vectors: Parts = []
    for nearest in query.prefetches:
        vector = nearest.vector
        if isinstance(vector, SparseVector):
            vectors += raw(vector)
            sparse = True
        else:
            vectors.append(vector.tobytes())
            sparse = False
        legs.append((nearest.using, nearest.limit, sparse, nearest.params, nearest.score_threshold))
    body = encode(
        (
            legs,
            query.limit,
            query.offset,
            query.fusion,
            query.filter,
            query.score_threshold,
            query.with_payload,
            query.with_vectors,
        )
    )
    return body, vectors


def refusal(error: VectisError) -> Refusal:
    """An error as sent."""
    return Refusal(error.code, error.message, error.fields)


def raised(code: str, message: str, fields: dict[str, Any]) -> VectisError:
    """The error that was sent, of the same class."""
    return _CLASSES[code](message, **fields)


def _classes(base: type[VectisError]) -> Iterator[tuple[str, type[VectisError]]]:
    yield base.code, base
    for child in base.__subclasses__():
        yield from _classes(child)


_CLASSES = dict(_classes(VectisError))
