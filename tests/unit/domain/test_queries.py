"""How hard the engine looks, by the size of the graph."""

import pytest

from vectis.domain.queries import HNSW_EF_MAX, SearchParams


@pytest.mark.parametrize(
    ("points", "candidates"), [(0, 128), (50_000, 128), (200_000, 256), (800_000, 512), (10**9, HNSW_EF_MAX)]
)
def test_an_adaptive_search_looks_harder_in_a_larger_graph(points: int, candidates: int) -> None:
    assert SearchParams(hnsw_ef=128, adaptive=True).effort(points) == candidates


def test_an_effort_that_was_asked_for_is_taken_as_it_is() -> None:
    assert SearchParams(hnsw_ef=64).effort(10**9) == 64
    assert SearchParams(adaptive=True).effort(10**9) is None
