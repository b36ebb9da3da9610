"""What variants answered, as people read it."""

import random

from rollout_world import latency_counts

from vectis.domain.evidence import LATENCY_GROWTH, VariantTick
from vectis.domain.traffic import added, figures_of


def test_quantiles_are_exact_to_a_bucket() -> None:
    dice = random.Random(4)
    latencies_ms = [dice.lognormvariate(2, 1) for _ in range(999)]
    figures = figures_of(VariantTick(queries=999, latency=latency_counts(latencies_ms)))
    ranked = sorted(latencies_ms)
    for found, exact in ((figures.p50_ms, ranked[499]), (figures.p95_ms, ranked[949]), (figures.p99_ms, ranked[989])):
        assert found is not None
        assert exact <= found + 0.001
        assert found <= exact * LATENCY_GROWTH + 0.001


def test_without_answers_there_are_no_quantiles() -> None:
    figures = figures_of(VariantTick(queries=3, errors=3))
    assert (figures.queries, figures.errors, figures.p50_ms, figures.p99_ms) == (3, 3, None, None)


def test_sums_are_of_all_counts() -> None:
    one, other = VariantTick(5, 1, 2, 3, {4: 5}, keys=2), VariantTick(1, 1, 1, 1, {4: 1, 5: 1}, keys=1)
    assert added(one, other) == VariantTick(6, 2, 3, 4, {4: 6, 5: 1}, keys=3)
