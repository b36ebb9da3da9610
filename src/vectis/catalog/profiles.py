"""The built-in collection profiles and how a caller's wishes become one. Pure."""

import msgspec

from vectis.domain.documents import DOCUMENT_ID
from vectis.domain.embedders import Embedders
from vectis.domain.errors import InvalidInput, LimitExceeded, NotFound
from vectis.domain.profiles import (
    DENSE,
    DOCUMENT_DENSE,
    DOCUMENT_SPARSE,
    SPARSE,
    Chunking,
    CollectionProfile,
    EmbeddingProfile,
    EmbeddingWishes,
    SearchSettings,
    check_search,
)
from vectis.domain.schema import (
    CollectionSchema,
    DenseParams,
    HnswParams,
    OptimizerParams,
    PayloadIndexKind,
    ScalarQuantization,
    SparseParams,
)

DOCUMENT = "document"
VECTORS = "vectors"

DIMENSION_MAX = 65_536
VECTORS_MAX = 16
INDEXES_MAX = 64

INDEXED_FIELDS: dict[str, PayloadIndexKind] = {
    "language": PayloadIndexKind.KEYWORD,
    "framework": PayloadIndexKind.KEYWORD,
    "doc_type": PayloadIndexKind.KEYWORD,
    "version": PayloadIndexKind.KEYWORD,
    "last_updated": PayloadIndexKind.DATETIME,
    "difficulty_level": PayloadIndexKind.INTEGER,
}
"""What documentation is filtered by."""


class Wishes(msgspec.Struct, frozen=True):
    """What a caller may set beside the profile; None leaves the profile's value."""

    dense: dict[str, DenseParams] | None = None
    sparse: dict[str, SparseParams] | None = None
    hnsw: HnswParams | None = None
    quantization: ScalarQuantization | msgspec.UnsetType | None = msgspec.UNSET
    optimizers: OptimizerParams | None = None
    payload_indexes: dict[str, PayloadIndexKind] | None = None
    embedding: EmbeddingWishes | None = None
    chunking: Chunking | None = None
    search: SearchSettings | None = None
    spellings: bool | None = None


def document_profile(embedding: EmbeddingProfile) -> CollectionProfile:
    """Documents cut into chunks, with dense and BM25 vectors of chunks and of whole documents, indexed by what
    documentation is filtered by."""
    return CollectionProfile(
        name=DOCUMENT,
        schema=CollectionSchema(
            dense={
                DENSE: DenseParams(size=embedding.dimension),
                # The engine keeps a place for it beside every chunk; on disk those places cost no memory.
                DOCUMENT_DENSE: DenseParams(size=embedding.dimension, on_disk=True),
            },
            sparse={SPARSE: SparseParams(), DOCUMENT_SPARSE: SparseParams()},
            payload_indexes={
                DOCUMENT_ID: PayloadIndexKind.KEYWORD,
                "source": PayloadIndexKind.KEYWORD,
                **INDEXED_FIELDS,
            },
        ),
        embedding=embedding,
        spellings=True,
    )


def vectors_profile() -> CollectionProfile:
    """The caller's own vectors: one dense vector of 768 dimensions and one sparse, with the usual defaults for documentation."""
    return CollectionProfile(
        name=VECTORS, schema=CollectionSchema(dense={DENSE: DenseParams()}, sparse={SPARSE: SparseParams()})
    )


class Recipes:
    """The named profiles of a server, and what they become with a caller's wishes."""

    def __init__(self, embedders: Embedders) -> None:
        self._embedders = embedders
        self._named = {profile.name: profile for profile in (document_profile(embedders.usual), vectors_profile())}

    def named(self) -> list[CollectionProfile]:
        """All of them."""
        return list(self._named.values())

    def of(self, name: str, wishes: Wishes) -> CollectionProfile:
        """A named profile with the wishes. Raises NotFound for the name, and as `tailored` does."""
        if name not in self._named:
            known = ", ".join(self._named)
            raise NotFound(f"profile: no profile is called {name!r}; there are {known}", field="profile")
        return self.tailored(self._named[name], wishes)

    def tailored(self, base: CollectionProfile, wishes: Wishes) -> CollectionProfile:
        """`base` with the wishes. Raises as the function and `Embedders.tailored` do."""
        if wishes.embedding is not None:
            if base.embedding is None:
                raise InvalidInput("embedding: the collection holds its callers' own vectors", field="embedding")
            base = _embedded(base, self._embedders.tailored(base.embedding, wishes.embedding, at="embedding"))
        return tailored(base, wishes)


def _embedded(base: CollectionProfile, embedding: EmbeddingProfile) -> CollectionProfile:
    dense = {
        name: msgspec.structs.replace(params, size=embedding.dimension) if name in (DENSE, DOCUMENT_DENSE) else params
        for name, params in base.schema.dense.items()
    }
    return msgspec.structs.replace(base, embedding=embedding, schema=msgspec.structs.replace(base.schema, dense=dense))


def tailored(base: CollectionProfile, wishes: Wishes) -> CollectionProfile:
    """`base` with the caller's wishes, but for `embedding`. Raises InvalidInput or LimitExceeded, naming the field."""
    schema = base.schema
    if wishes.dense is not None or wishes.sparse is not None:
        schema = msgspec.structs.replace(schema, dense=wishes.dense or {}, sparse=wishes.sparse or {})
    if wishes.quantization is not msgspec.UNSET:
        schema = msgspec.structs.replace(schema, quantization=wishes.quantization)
    given = {
        name: value
        for name in ("hnsw", "optimizers", "payload_indexes")
        if (value := getattr(wishes, name)) is not None
    }
    if "payload_indexes" in given:
        given["payload_indexes"] = {**schema.payload_indexes, **given["payload_indexes"]}
    profile = msgspec.structs.replace(base, schema=msgspec.structs.replace(schema, **given))
    if wishes.chunking is not None:
        profile = msgspec.structs.replace(profile, chunking=wishes.chunking)
    if wishes.search is not None:
        check_search(wishes.search, at="search")
        profile = msgspec.structs.replace(profile, search=wishes.search)
    if wishes.spellings is not None:
        if base.embedding is None:
            raise InvalidInput("spellings: the collection holds its callers' own vectors", field="spellings")
        profile = msgspec.structs.replace(profile, spellings=wishes.spellings)
    _check(profile)
    return profile


def _check(profile: CollectionProfile) -> None:
    schema = profile.schema
    if not schema.dense and not schema.sparse:
        raise InvalidInput("vectors: name at least one dense or sparse vector", field="vectors")
    _at_most("vectors", len(schema.dense) + len(schema.sparse), VECTORS_MAX)
    _at_most("payload_indexes", len(schema.payload_indexes), INDEXES_MAX)
    for name, params in schema.dense.items():
        if params.size < 1:
            raise InvalidInput(
                f"vectors.{name}.size: must be 1 or more, not {params.size}", field=f"vectors.{name}.size"
            )
        _at_most(f"vectors.{name}.size", params.size, DIMENSION_MAX)
    both = set(schema.dense) & set(schema.sparse)
    if both:
        raise InvalidInput(f"sparse_vectors: {min(both)!r} is a dense vector already", field="sparse_vectors")
    _check_numbers(schema, profile.chunking)


def _check_numbers(schema: CollectionSchema, chunking: Chunking) -> None:
    bounds: list[tuple[str, float, float, float]] = [
        ("hnsw.m", schema.hnsw.m, 0, 256),
        ("hnsw.ef_construct", schema.hnsw.ef_construct, 4, 4096),
        ("hnsw.full_scan_threshold", schema.hnsw.full_scan_threshold, 10, 10**9),
        ("optimizers.indexing_threshold", schema.optimizers.indexing_threshold, 0, 10**9),
        ("optimizers.flush_interval_sec", schema.optimizers.flush_interval_sec, 1, 3600),
        ("optimizers.deleted_threshold", schema.optimizers.deleted_threshold, 0, 1),
        ("chunking.target", chunking.target, 16, 4096),
        ("chunking.overlap", chunking.overlap, 0, chunking.target // 2),
    ]
    if schema.quantization is not None:
        bounds.append(("quantization.quantile", schema.quantization.quantile, 0.5, 1.0))
    for field, value, low, high in bounds:
        if not low <= value <= high:
            raise InvalidInput(f"{field}: {value} is outside {low} to {high}", field=field)


def _at_most(field: str, given: int, maximum: int) -> None:
    if given > maximum:
        raise LimitExceeded(f"{field}: {given}, the maximum is {maximum}", field=field, given=given, maximum=maximum)
