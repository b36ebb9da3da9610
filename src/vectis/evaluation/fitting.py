"""Weights of a fusion of scores, fitted to judged queries from what each prefetch adds to each document. Pure."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from vectis.domain.profiles import Scores
from vectis.evaluation.measures import Qrels, per_query

MEASURE: Final = "ndcg@10"
CUT: Final = 10
PREFETCHES: Final = Scores.__struct_fields__
TRIED: Final = (0.0, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Values of a weight, about half an octave apart: between them rankings hardly differ."""

ROUNDS_MAX: Final = 10


class Explained(msgspec.Struct, frozen=True):
    """One query's documents, best first, and what each prefetch adds to them under equal weights.

    `parts` has shape (documents, PREFETCHES).
    """

    documents: list[str]
    parts: NDArray[np.float64]


class Fitted(msgspec.Struct, frozen=True):
    """The weights found, and the mean nDCG@10 on the queries that they were fitted to: with equal weights, and with these."""

    weights: Scores
    equal: float
    best: float


def split(ids: Iterable[str], seed: int) -> tuple[list[str], list[str]]:
    """Ids to fit to, and ids to test on: about half each. Which id goes where depends on it and on the seed alone."""
    train: list[str] = []
    test: list[str] = []
    for each in ids:
        digest = blake2b(f"{seed}:{each}".encode(), digest_size=8).digest()
        (train if digest[0] % 2 else test).append(each)
    return train, test


def fit_weights(qrels: Qrels, explained: Mapping[str, Explained]) -> Fitted:
    """Coordinate search from equal weights: each weight in turn takes the value of TRIED with the best mean nDCG@10.

    A value is taken only when it is better than the one before, so weights that change nothing stay equal. Ends when no weight
    changes.
    """
    judged = {query: qrels[query] for query in explained}
    weights = np.ones(len(PREFETCHES))
    equal = best = _mean(judged, explained, weights)
    for _ in range(ROUNDS_MAX):
        before = best
        for place in range(len(PREFETCHES)):
            for value in TRIED:
                other = weights.copy()
                other[place] = value
                if other.any() and (reached := _mean(judged, explained, other)) > best:
                    weights, best = other, reached
        if best == before:
            break
    return Fitted(Scores(*map(float, weights)), equal, best)


def _mean(qrels: Qrels, explained: Mapping[str, Explained], weights: NDArray[np.float64]) -> float:
    run = {query: _first(each, weights) for query, each in explained.items()}
    values = per_query(qrels, run)[MEASURE]
    return float(np.mean(list(values.values()))) if values else 0.0


def _first(explained: Explained, weights: NDArray[np.float64]) -> list[tuple[str, float]]:
    """The first CUT documents under other weights; equal scores keep their order."""
    scores = explained.parts @ weights
    order = np.argsort(-scores, kind="stable")[:CUT]
    return [(explained.documents[place], float(scores[place])) for place in order]
