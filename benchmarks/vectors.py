"""Made-up vectors with the structure of real embeddings: few directions matter, the rest is noise. The same on every machine."""

import numpy as np
from numpy.typing import NDArray

DIMENSION = 384
_DIRECTIONS = 32
_NOISE = 0.1

Floats = NDArray[np.float32]


def make(count: int, *, part: int) -> Floats:
    """Unit vectors of shape (count, 384). Different `part`s are different draws from one distribution."""
    basis = np.random.default_rng(1).standard_normal((_DIRECTIONS, DIMENSION), dtype=np.float32)
    draw = np.random.default_rng(1000 + part)
    latent = draw.standard_normal((count, _DIRECTIONS), dtype=np.float32)
    noise = draw.standard_normal((count, DIMENSION), dtype=np.float32)
    vectors = latent @ basis / np.float32(np.sqrt(_DIRECTIONS)) + np.float32(_NOISE) * noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def exact_top(points: Floats, queries: Floats, k: int) -> NDArray[np.int64]:
    """Indices of the k most similar points for each query, shape (queries, k), best first."""
    scores = queries @ points.T
    top = np.argpartition(-scores, k, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(-scores, top, axis=1), axis=1)
    return np.take_along_axis(top, order, axis=1)


def recall(found: list[list[int]], wanted: NDArray[np.int64]) -> float:
    """Mean share of the wanted neighbours that were found."""
    return float(np.mean([len(set(f) & set(w.tolist())) / len(w) for f, w in zip(found, wanted, strict=True)]))
