"""What an engine is asked: one or more prefetches, a fusion when there are several. Built by search, run by an engine."""

from math import ceil, sqrt

import msgspec

from vectis.domain.filters import Filter
from vectis.domain.points import Dense, SparseVector

HNSW_EF_MAX = 4096
ADAPTIVE_POINTS = 50_000
"""Up to here an adaptive `hnsw_ef` is taken as it is."""

Selector = bool | list[str]
"""True for all, False for none, or the payload keys (or vector names) wanted."""


class SearchParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """How hard the engine looks. `oversampling` and `rescore` matter for quantized vectors only.

    `adaptive`: `hnsw_ef` is meant for a graph of 50,000 points, and a larger one is searched harder; see `effort`.
    """

    hnsw_ef: int | None = None
    exact: bool = False
    rescore: bool | None = None
    oversampling: float | None = None
    adaptive: bool = False

    def effort(self, graph_points: int) -> int | None:
        """The candidates to keep in a graph of `graph_points`: `hnsw_ef`, times sqrt(points / 50,000) when it is adaptive.

        Measured on 384 dimensions, m 16, ef_construct 200: a recall@10 of 0.99 takes 128 candidates at 50,000 points and 256
        at 200,000.
        """
        if self.hnsw_ef is None or not self.adaptive:
            return self.hnsw_ef
        return min(HNSW_EF_MAX, ceil(self.hnsw_ef * max(1.0, sqrt(graph_points / ADAPTIVE_POINTS))))


class Nearest(msgspec.Struct, frozen=True):
    """The `limit` points whose vector `using` is nearest to `vector`."""

    vector: Dense | SparseVector
    using: str
    limit: int
    params: SearchParams = SearchParams()
    score_threshold: float | None = None


class Rrf(msgspec.Struct, frozen=True, tag="rrf"):
    """Reciprocal rank fusion: sum over prefetches of 1 / (rank / weight + k - 1), rank from 1, as the engine computes it.

    `k` is 1 or more. After Cormack, Clarke, Buettcher, SIGIR 2009; the weights are Qdrant's.
    """

    k: int = 60
    weights: list[float] | None = None


class Dbsf(msgspec.Struct, frozen=True, tag="dbsf"):
    """Distribution-based score fusion: sum over prefetches of (score - mean) / (6 sigma) + 0.5, as the engine computes it.

    Mean and sigma are those of the prefetch's scores, sigma with n - 1 in its denominator.
    """


Fusion = Rrf | Dbsf


class EngineQuery(msgspec.Struct, frozen=True):
    """One question to an engine.

    One prefetch without fusion is a plain nearest-neighbour query; two or more need a fusion. `filter` holds for every
    prefetch. `score_threshold` is applied to the final score; `offset` and `limit` cut the final list.
    """

    prefetches: tuple[Nearest, ...]
    limit: int
    offset: int = 0
    fusion: Fusion | None = None
    filter: Filter | None = None
    score_threshold: float | None = None
    with_payload: Selector = True
    with_vectors: Selector = False
