"""Fitting weights to judged queries that leave no doubt, and the split that decides what they are fitted to."""

import numpy as np

from vectis.domain.profiles import Scores
from vectis.evaluation.fitting import PREFETCHES, Explained, fit_weights, split

IDS = [f"q{n}" for n in range(200)]


def explained(*rows: tuple[str, list[float]]) -> Explained:
    return Explained([document for document, _ in rows], np.array([parts for _, parts in rows]))


def test_the_split_depends_on_id_and_seed_alone() -> None:
    train, test = split(IDS, 7)
    assert sorted(train + test) == sorted(IDS)
    assert 70 < len(train) < 130
    assert split(reversed(IDS), 7) == (train[::-1], test[::-1])
    fewer, _ = split(IDS[:50], 7)
    assert fewer == [id for id in train if id in IDS[:50]]
    assert split(IDS, 8)[0] != train


def test_a_prefetch_that_misleads_loses_its_weight() -> None:
    misled = {f"q{n}": explained(("wrong", [0.9, 0.1, 0.0, 0.0]), ("right", [0.2, 0.6, 0.0, 0.0])) for n in range(3)}
    fitted = fit_weights({query: {"right": 1} for query in misled}, misled)
    assert (fitted.equal, fitted.best) == (1 / np.log2(3), 1.0)
    assert fitted.weights.dense < fitted.weights.sparse
    assert (fitted.weights.document_dense, fitted.weights.document_sparse) == (1.0, 1.0), "they change nothing"


def test_weights_stay_equal_where_nothing_is_gained() -> None:
    found = {"q": explained(("right", [0.5, 0.4, 0.3, 0.2]), ("wrong", [0.1, 0.1, 0.1, 0.1]))}
    assert fit_weights({"q": {"right": 1}}, found).weights == Scores()
    lost = {"q": explained(("wrong", [0.5, 0.4, 0.3, 0.2]))}
    assert fit_weights({"q": {"right": 1}}, lost).best == 0.0
    nothing = {"q": Explained([], np.empty((0, len(PREFETCHES))))}
    assert fit_weights({"q": {"right": 1}}, nothing).weights == Scores()
