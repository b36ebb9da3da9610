"""The schema of a collection: named vectors, index settings, payload indexes, and the checks that need them."""

from enum import StrEnum
from math import isfinite

import msgspec

from vectis.domain.errors import InvalidName, InvalidVector, WrongDimension
from vectis.domain.points import SparseVector, Vectors
from vectis.domain.shapes import Shape

NAME_MAX = 128
TENANT_MARK = "~"
"""Stands between a tenant and a collection's own name in the full name: `acme~docs`. No part may hold it."""

INDEX_MAX = 2**32 - 1


class Distance(StrEnum):
    """How two dense vectors compare; cosine vectors come back normalised."""

    COSINE = "Cosine"
    DOT = "Dot"
    EUCLID = "Euclid"
    MANHATTAN = "Manhattan"


class PayloadIndexKind(StrEnum):
    """What kind of value a payload index holds."""

    KEYWORD = "keyword"
    INTEGER = "integer"
    FLOAT = "float"
    BOOL = "bool"
    DATETIME = "datetime"
    GEO = "geo"
    TEXT = "text"
    UUID = "uuid"


class DenseParams(Shape, frozen=True):
    """One named dense vector of `size` dimensions."""

    size: int = 768
    distance: Distance = Distance.COSINE
    on_disk: bool = False


class SparseParams(Shape, frozen=True):
    """One named sparse vector; `idf` weighs terms by their rarity in the collection (BM25)."""

    idf: bool = True
    on_disk: bool = False
    full_scan_threshold: int = 5000


class HnswParams(Shape, frozen=True):
    """The HNSW graph: `m` edges a node, `ef_construct` candidates when building; threshold in KB; 0 threads: automatic."""

    m: int = 16
    ef_construct: int = 200
    full_scan_threshold: int = 10_000
    max_indexing_threads: int = 0


class ScalarQuantization(Shape, frozen=True):
    """INT8 copies of the dense vectors, by default kept in memory."""

    quantile: float = 0.99
    always_ram: bool = True


class OptimizerParams(Shape, frozen=True):
    """When and how segments are built. Sizes and thresholds in KB, as in the engine; 0 threads: automatic.

    The embedded engine makes a segment larger than `max_segment_size` rather than more segments than threads search them.
    """

    deleted_threshold: float = 0.2
    vacuum_min_vector_number: int = 1000
    default_segment_number: int = 4
    max_segment_size: int = 200_000
    memmap_threshold: int = 50_000
    indexing_threshold: int = 20_000
    flush_interval_sec: int = 5
    max_optimization_threads: int = 0


class CollectionSchema(Shape, frozen=True):
    """All that is needed to create a collection in any engine."""

    dense: dict[str, DenseParams] = {}
    sparse: dict[str, SparseParams] = {}
    hnsw: HnswParams = HnswParams()
    quantization: ScalarQuantization | None = ScalarQuantization()
    optimizers: OptimizerParams = OptimizerParams()
    payload_indexes: dict[str, PayloadIndexKind] = {}


class CollectionState(msgspec.Struct, frozen=True):
    """What an engine says of a collection now. `indexed_vectors` counts vectors in an HNSW or sparse index.

    `trouble` is why the builds that it needs fail, or, with counts of 0, why it cannot be opened; None while all is well.
    """

    points: int
    indexed_vectors: int
    segments: int
    payload_indexes: dict[str, PayloadIndexKind]
    building: bool = False
    trouble: str | None = None


def check_name(name: str, *, what: str = "collection") -> None:
    """Raise InvalidName unless `name` is letters, digits, `_`, `-`, beginning with a letter or digit, 1 to 128 in all.

    A full name is two of these around one `~`: tenant and own name.
    """
    parts = name.split(TENANT_MARK)
    if len(parts) > 2 or len(name) > NAME_MAX or not all(map(_is_plain, parts)):
        raise InvalidName(
            f"{what} name {name[:140]!r} is not allowed: use 1 to {NAME_MAX} of a-z, A-Z, 0-9, _ and -, "
            "beginning with a letter or digit",
            name=name[:140],
        )


def _is_plain(part: str) -> bool:
    return part.isascii() and part.replace("_", "a").replace("-", "a").isalnum() and part[:1] not in "_-"


def check_vectors(schema: CollectionSchema, vectors: Vectors, *, at: str) -> None:
    """Raise WrongDimension or InvalidVector when `vectors` do not fit `schema`; `at` names the place in the request."""
    for name, vector in vectors.items():
        if isinstance(vector, SparseVector):
            if name not in schema.sparse:
                raise InvalidVector(f"{at}.{name}: {_known(schema)}", at=at, vector=name)
            if len(vector.indices) != len(vector.values):
                raise InvalidVector(f"{at}.{name}: indices and values differ in length", at=at, vector=name)
            if len(set(vector.indices)) != len(vector.indices):
                raise InvalidVector(f"{at}.{name}: an index stands twice", at=at, vector=name)
            if not isfinite(sum(vector.values)) or not all(0 <= i <= INDEX_MAX for i in vector.indices):
                raise InvalidVector(f"{at}.{name}: values are finite, indices 0 to 2^32 - 1", at=at, vector=name)
            continue
        params = schema.dense.get(name)
        if params is None:
            raise InvalidVector(f"{at}.{name}: {_known(schema)}", at=at, vector=name)
        if len(vector) != params.size:
            raise WrongDimension(
                f"{at}.{name}: the vector has {len(vector)} dimensions, the collection has {params.size}",
                at=at,
                vector=name,
                given=len(vector),
                expected=params.size,
            )


def _known(schema: CollectionSchema) -> str:
    dense = ", ".join(f"{name} (dense, {p.size})" for name, p in schema.dense.items())
    sparse = ", ".join(f"{name} (sparse)" for name in schema.sparse)
    return f"the collection has no such vector; it has {'; '.join(filter(None, (dense, sparse))) or 'none'}"
