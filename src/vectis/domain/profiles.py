"""Profiles: the named recipes by which a collection is made, filled and searched. Versioned and kept by the catalog."""

import re
from typing import Literal

from msgspec import structs

from vectis.domain.errors import InvalidInput
from vectis.domain.filters import Filter, check
from vectis.domain.queries import HNSW_EF_MAX, Fusion, Rrf
from vectis.domain.schema import CollectionSchema
from vectis.domain.shapes import Shape

PREFIX_MAX = 1000
"""Characters of a prefix."""

PREFETCH_MAX = 10_000
LIMIT_MAX = 1000
OVERSAMPLING_MAX = 16.0
WEIGHT_MAX = 1000.0
BOOSTS_MAX = 8
RERANKED_MAX = 200
MODEL_TIMEOUT_MS_MAX = 30_000

_PLAIN_PATH = re.compile(r"[\w-]+(\.[\w-]+)*")

Mode = Literal["default", "best", "hyde", "hybrid", "dense", "sparse"]
"""What ranks: `default` as the collection's profile says; `best` the same and the reranker; `hyde` the same with
hypothetical answers; `hybrid` chunks by both kinds of vector, fused by ranks (RRF, k 60) unless the settings say otherwise;
`dense` or `sparse` chunks by one."""

DENSE = "dense"
SPARSE = "sparse"

DOCUMENT_DENSE = "document_dense"
"""The mean of a document's dense vectors, on its first chunk."""

DOCUMENT_SPARSE = "document_sparse"
"""The BM25 vector of a whole document, on its first chunk."""


class EmbeddingProfile(Shape, frozen=True):
    """What makes two dense vectors comparable: equal profiles, comparable vectors.

    `revision` is the checksum or version of the weights; `max_tokens` is where the model truncates, special tokens counted.
    """

    model: str
    revision: str
    dimension: int
    max_tokens: int
    query_prefix: str = ""
    document_prefix: str = ""


class EmbeddingWishes(Shape, frozen=True):
    """How vectors shall be made otherwise; what is not given stays as it is. Another `model` begins as it usually is."""

    model: str | None = None
    dimension: int | None = None
    max_tokens: int | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None


class Chunking(Shape, frozen=True):
    """How documents are cut: `target` and `overlap` in tokens of the embedder."""

    target: int = 200
    overlap: int = 20


class Scores(Shape, frozen=True, tag="scores"):
    """Fusion of scores per document: the weighted mean of (score - mean) / (6 sigma) + 0.5, never below 0, over the prefetches.

    A document counts with its best chunk in the prefetches `dense` and `sparse`, and as a whole in `document_dense` and
    `document_sparse`; mean and sigma are those of a prefetch's documents. A prefetch that did not find a document adds nothing.
    A weight of 0 leaves the prefetch out.
    """

    dense: float = 1.0
    sparse: float = 1.0
    document_dense: float = 1.0
    document_sparse: float = 1.0


class Rerank(Shape, frozen=True):
    """What the server's reranker says of the first `candidates` documents is one more part of a fusion of scores, with `weight`.

    It reads the `chunks` best chunks of each, of which the best counts. A weight of 0 leaves it out. What takes it longer than
    `timeout_ms` is answered without.
    """

    candidates: int = 20
    chunks: int = 1
    weight: float = 4.0
    timeout_ms: int = 1000


class Hyde(Shape, frozen=True):
    """A language model writes `documents` passages that might answer, each of `max_tokens` at most, side by side.

    The mean of their vectors and the question's is asked in the place of the question's. 0 documents: none are written. Without
    one in `timeout_ms` the question's own vector is asked.
    """

    documents: int = 3
    temperature: float = 0.7
    max_tokens: int = 200
    timeout_ms: int = 10_000


class Recency(Shape, frozen=True):
    """A date in the payload: 1 for today or later, half of it for each half-life that passed since, 0 without a date."""

    half_life_days: float
    key: str = "last_updated"


class Boost(Shape, frozen=True, omit_defaults=True):
    """What lifts documents, as one more part of a fusion of scores: `when` holds of their best chunk, or how `recent` it is.

    Exactly one of both. The first 100 documents are looked at.
    """

    weight: float
    when: Filter | None = None
    recent: Recency | None = None


class SearchSettings(Shape, frozen=True):
    """How a collection is searched when the query does not say otherwise.

    `prefetch_dense` and `prefetch_sparse` count chunks, `prefetch_documents` counts documents found as a whole.
    `adaptive_ef`: `hnsw_ef` grows with the collection beyond 50,000 points, so that the recall stays (embedded engine).
    """

    limit: int = 10
    prefetch_dense: int = 300
    prefetch_sparse: int = 300
    prefetch_documents: int = 300
    hnsw_ef: int = 128
    adaptive_ef: bool = True
    rescore: bool = True
    oversampling: float = 2.0
    fusion: Fusion | Scores = Scores()
    rerank: Rerank | None = None
    hyde: Hyde | None = None
    boosts: list[Boost] = []


class CollectionProfile(Shape, frozen=True):
    """A named recipe. `embedding` None: the collection holds the caller's own vectors and takes no documents.

    `spellings`: BM25 knows compounds in one word too, and words with digits by their letters. A profile that does not say so was
    made before there were any.
    """

    name: str
    schema: CollectionSchema
    embedding: EmbeddingProfile | None = None
    chunking: Chunking = Chunking()
    search: SearchSettings = SearchSettings()
    spellings: bool = False


def check_search(settings: SearchSettings, *, at: str) -> None:
    """Raise InvalidInput, naming the field below `at`, when a number is out of its bounds or no prefetch has a weight."""
    bounds: list[tuple[str, float, float, float]] = [
        ("limit", settings.limit, 1, LIMIT_MAX),
        ("prefetch_dense", settings.prefetch_dense, 1, PREFETCH_MAX),
        ("prefetch_sparse", settings.prefetch_sparse, 1, PREFETCH_MAX),
        ("prefetch_documents", settings.prefetch_documents, 1, PREFETCH_MAX),
        ("hnsw_ef", settings.hnsw_ef, 1, HNSW_EF_MAX),
        ("oversampling", settings.oversampling, 1, OVERSAMPLING_MAX),
    ]
    if isinstance(settings.fusion, Scores):
        weights = structs.asdict(settings.fusion)
        bounds += [(f"fusion.{name}", weight, 0, WEIGHT_MAX) for name, weight in weights.items()]
        if not any(weights.values()):
            raise InvalidInput(f"{at}.fusion: give a weight above 0", field=f"{at}.fusion")
    if settings.rerank is not None:
        if not isinstance(settings.fusion, Scores):
            raise InvalidInput(
                f"{at}.rerank: only a fusion of type scores can be reranked, as mode default has it",
                field=f"{at}.rerank",
            )
        bounds += _rerank_bounds(settings.rerank)
    if settings.boosts:
        if not isinstance(settings.fusion, Scores):
            raise InvalidInput(
                f"{at}.boosts: only a fusion of type scores can have them, as mode default has it", field=f"{at}.boosts"
            )
        bounds += _boost_bounds(settings.boosts, at)
    if settings.hyde is not None:
        bounds += _hyde_bounds(settings.hyde)
    if isinstance(settings.fusion, Rrf):
        bounds.append(("fusion.k", settings.fusion.k, 1, 10_000))
        of_prefetches = settings.fusion.weights
        if of_prefetches is not None and (len(of_prefetches) != 2 or min(of_prefetches) <= 0):
            raise InvalidInput(
                f"{at}.fusion.weights: give 2 numbers above 0, dense first, then sparse", field=f"{at}.fusion.weights"
            )
    for field, value, low, high in bounds:
        if not low <= value <= high:
            raise InvalidInput(f"{at}.{field}: {value} is outside {low} to {high}", field=f"{at}.{field}")


def _rerank_bounds(rerank: Rerank) -> list[tuple[str, float, float, float]]:
    return [
        ("rerank.candidates", rerank.candidates, 1, RERANKED_MAX),
        ("rerank.chunks", rerank.chunks, 1, RERANKED_MAX // rerank.candidates if rerank.candidates else 1),
        ("rerank.weight", rerank.weight, 0, WEIGHT_MAX),
        ("rerank.timeout_ms", rerank.timeout_ms, 1, MODEL_TIMEOUT_MS_MAX),
    ]


def _hyde_bounds(hyde: Hyde) -> list[tuple[str, float, float, float]]:
    return [
        ("hyde.documents", hyde.documents, 0, 10),
        ("hyde.temperature", hyde.temperature, 0, 2),
        ("hyde.max_tokens", hyde.max_tokens, 1, 4096),
        ("hyde.timeout_ms", hyde.timeout_ms, 1, MODEL_TIMEOUT_MS_MAX),
    ]


def _boost_bounds(boosts: list[Boost], at: str) -> list[tuple[str, float, float, float]]:
    bounds: list[tuple[str, float, float, float]] = [("boosts", len(boosts), 0, BOOSTS_MAX)]
    for number, boost in enumerate(boosts):
        place = f"boosts[{number}]"
        if (boost.when is None) == (boost.recent is None):
            raise InvalidInput(f"{at}.{place}: give exactly one of when and recent", field=f"{at}.{place}")
        if boost.when is not None:
            check(boost.when, at=f"{at}.{place}.when")
        if boost.recent is not None:
            if not _PLAIN_PATH.fullmatch(boost.recent.key):
                field = f"{at}.{place}.recent.key"
                raise InvalidInput(
                    f"{field}: name a payload key, such as last_updated, or a key within one, such as meta.date",
                    field=field,
                )
            bounds.append((f"{place}.recent.half_life_days", boost.recent.half_life_days, 0.001, 1e6))
        bounds.append((f"{place}.weight", boost.weight, 0, WEIGHT_MAX))
    return bounds
