"""Explanations add up."""

import pytest

from vectis.domain.points import ScoredPoint, SparseVector
from vectis.domain.queries import Dbsf, EngineQuery, Nearest, Rrf
from vectis.search.explain import Explainer
from vectis.search.requests import Place

DENSE = [ScoredPoint(1, 0.9), ScoredPoint(2, 0.8)]
SPARSE = [ScoredPoint(2, 11.0), ScoredPoint(3, 7.0), ScoredPoint(4, 3.0)]


def explainer(fusion: Rrf | Dbsf | None) -> Explainer:
    prefetches = tuple(Nearest(SparseVector([1], [1.0]), using, 10) for using in ("dense", "sparse"))
    return Explainer(EngineQuery(prefetches=prefetches, limit=10, fusion=fusion), [DENSE, SPARSE])


def test_places_in_each_prefetch() -> None:
    assert explainer(Rrf()).reasons(2).places == {"dense": Place(2, 0.8), "sparse": Place(1, 11.0)}
    assert explainer(Rrf()).reasons(4).places == {"sparse": Place(3, 3.0)}
    assert explainer(Rrf()).reasons(99).places == {}


def test_rrf_is_the_engines_formula() -> None:
    why = explainer(Rrf(k=10, weights=[2.0, 1.0])).reasons(2)
    assert why.contributions == {"dense": 1 / (2 / 2 + 9), "sparse": 1 / (1 + 9)}
    assert "k 10" in why.fusion


def test_dbsf_is_the_engines_formula() -> None:
    why = explainer(Dbsf()).reasons(2)
    assert why.contributions["sparse"] == pytest.approx((11 - 7) / (6 * 4) + 0.5)
    assert why.contributions["dense"] < 0.5
    assert why.fusion.startswith("dbsf")


def test_without_fusion_nothing_is_claimed() -> None:
    why = explainer(None).reasons(1)
    assert why.contributions == {}
    assert why.fusion.startswith("none")
