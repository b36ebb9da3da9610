"""The engine's formulas: distances, sparse dot product with IDF, and the two fusions. Float64 throughout, no state."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log, sqrt
from typing import cast

import numpy as np
from numpy.typing import NDArray

from vectis.domain.points import Dense, PointId, SparseVector
from vectis.domain.schema import Distance

Ranked = list[tuple[PointId, float]]
"""Ids with scores, best first."""

Matrix = NDArray[np.float32]

LOWER_IS_BETTER = frozenset({Distance.EUCLID, Distance.MANHATTAN})


def normalised(vector: Dense) -> Dense:
    """The vector at length 1, as cosine vectors are kept; zero stays zero."""
    values = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(values.astype(np.float64)))
    return Dense("f", (values / length if length else values).astype(np.float32).tobytes())


def dense_scores(matrix: Matrix, query: Dense, distance: Distance) -> list[float]:
    """One score per row of `matrix`, shape (points, dimension); cosine rows are normalised already."""
    vector = np.asarray(normalised(query) if distance is Distance.COSINE else query, np.float64)
    if distance is Distance.EUCLID:
        scores = np.sqrt(((matrix - vector) ** 2).sum(axis=1))
    elif distance is Distance.MANHATTAN:
        scores = np.abs(matrix - vector).sum(axis=1)
    else:
        scores = matrix @ vector
    return cast("list[float]", scores.tolist())


def idf_weights(documents: Sequence[SparseVector], indices: Sequence[int]) -> dict[int, float]:
    """ln((n - df + 0.5) / (df + 0.5) + 1) for each index; n counts the vectors that are not empty."""
    wanted, frequency = set(indices), dict.fromkeys(indices, 0)
    n = 0
    for document in documents:
        n += bool(document.indices)
        for index in wanted.intersection(document.indices):
            frequency[index] += 1
    return {index: log((n - df + 0.5) / (df + 0.5) + 1) for index, df in frequency.items()}


def sparse_score(document: SparseVector, weights: Mapping[int, float]) -> float | None:
    """The dot product; None when it is 0 or no position is shared, for the engine takes neither as a candidate."""
    pairs = zip(document.indices, document.values, strict=True)
    return sum(value * weights[index] for index, value in pairs if index in weights) or None


def rrf(lists: Sequence[Ranked], k: int, weights: Sequence[float] | None) -> Ranked:
    """Reciprocal rank fusion as the engine counts: 1 / ((rank + 1) / weight + k - 1), rank from 0; weight 0 adds 0.

    With weight 1 that is 1 / (k + rank). Cormack, Clarke, Buettcher, SIGIR 2009.
    """
    scores: dict[PointId, float] = defaultdict(float)
    for ranked, weight in zip(lists, weights or [1.0] * len(lists), strict=True):
        for rank, (point_id, _) in enumerate(ranked):
            scores[point_id] += 1 / ((rank + 1) / weight + k - 1) if weight > 0 else 0.0
    return best_first(scores.items())


def dbsf(lists: Sequence[Ranked]) -> Ranked:
    """Distribution-based score fusion: each list mapped so that mean -+ 3 sigma become 0 and 1, then summed.

    Sigma has n - 1 in its denominator; a list of one, or of equal scores, counts 0.5 each. As in the engine, distances
    (Euclid, Manhattan) are not turned round first.
    """
    scores: dict[PointId, float] = defaultdict(float)
    for ranked in lists:
        values = [score for _, score in ranked]
        mean = sum(values) / len(values) if values else 0.0
        spread = sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else 0.0
        for point_id, score in ranked:
            scores[point_id] += (score - mean) / (6 * spread) + 0.5 if spread else 0.5
    return best_first(scores.items())


def best_first(scored: Iterable[tuple[PointId, float]], *, lower_is_better: bool = False) -> Ranked:
    """Sorted by score, equal scores by id."""
    sign = 1 if lower_is_better else -1
    return sorted(scored, key=lambda entry: (sign * entry[1], id_order(entry[0])))


def id_order(point_id: PointId) -> tuple[bool, PointId]:
    """The key of the engine's id order: integers by value, then UUIDs by value."""
    return isinstance(point_id, str), point_id
