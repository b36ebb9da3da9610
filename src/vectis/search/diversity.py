"""Diversity: results that differ from those before them. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np

from vectis.domain.points import Dense, PointId

POOL = 100
"""The first results, which are put into another order; what comes later keeps its place."""


def diverse(
    scores: Sequence[float], chunks: Sequence[PointId], vectors: Mapping[PointId, Dense], strength: float
) -> list[int]:
    """The places of the results in their order. `chunks` are their best chunks, `vectors` of unit length those of the chunks.

    Each next one has the most (1 - strength) * score - strength * likeness: the score from 0 (the worst) to 1 (the best), the
    likeness its greatest cosine to one before it. Maximal marginal relevance, Carbonell and Goldstein, SIGIR 1998. A chunk
    without a vector is like no other.
    """
    if not scores:
        return []
    size = len(next(iter(vectors.values()), ()))
    places = np.array([vectors.get(chunk) or np.zeros(size) for chunk in chunks], dtype=np.float32).reshape(
        len(chunks), size
    )
    worth = np.array(scores, dtype=np.float64)
    spread = float(np.ptp(worth))
    worth = (worth - worth.min()) / spread if spread else np.ones_like(worth)
    likeness = np.zeros(len(scores))
    order: list[int] = []
    for _ in scores:
        gain = (1 - strength) * worth - strength * likeness
        gain[order] = -np.inf
        chosen = int(np.argmax(gain))
        order.append(chosen)
        likeness = np.maximum(likeness, places @ places[chosen])
    return order
