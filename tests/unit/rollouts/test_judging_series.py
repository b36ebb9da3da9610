"""Latencies by bucket against the same questions asked of the samples themselves."""

import numpy as np
import pytest
from rollout_world import latency_counts

from vectis.domain.evidence import LATENCY_GROWTH, Tick, VariantTick, latency_bucket
from vectis.rollouts.judging.series import Series, exceedances, latency_quantile_ms, quantile_columns, series_of


def _ticks(seed: int, count: int = 6) -> tuple[list[np.ndarray], list[np.ndarray], Series]:
    rng = np.random.default_rng(seed)
    stable = [rng.lognormal(2, 0.6, 200) for _ in range(count)]
    candidate = [rng.lognormal(2.2, 0.6, 40) for _ in range(count)]
    ticks = [
        Tick(
            VariantTick(queries=200, latency=latency_counts(s)),
            VariantTick(queries=40, latency=latency_counts(c)),
            16.7,
        )
        for s, c in zip(stable, candidate, strict=True)
    ]
    return stable, candidate, series_of(ticks)


@pytest.mark.parametrize("latency_ms", [0.0, 0.5, 1.0, 1.0001, 7.3, 60_000.0])
def test_a_bucket_holds_its_latency(latency_ms: float) -> None:
    bucket = latency_bucket(latency_ms)
    assert LATENCY_GROWTH ** (bucket - 1) < max(latency_ms, 0.001) * (1 + 1e-9)
    assert latency_ms <= LATENCY_GROWTH**bucket * (1 + 1e-9)


def test_quantiles_are_within_a_bucket_of_the_samples() -> None:
    stable, _, series = _ticks(1)
    for quantile in (0.5, 0.95, 0.99):
        exact = np.quantile(np.concatenate(stable), quantile, method="inverted_cdf")
        assert latency_quantile_ms(series, series.stable, quantile) == pytest.approx(exact, rel=LATENCY_GROWTH - 1)


def test_exceedances_are_those_of_the_samples() -> None:
    stable, candidate, series = _ticks(2)
    columns = quantile_columns(series, 0.9)
    assert columns[0] == -1
    (hits_s, trials_s), (hits_c, trials_c) = exceedances(series, columns, slower_by=0.2, floor_ms=0.0, side=1)
    assert (trials_s[0], trials_c[0]) == (0, 0)
    for tick in range(1, len(stable)):
        limit = LATENCY_GROWTH ** (series.first_bucket + columns[tick])
        exact = np.quantile(np.concatenate(stable[:tick]), 0.9, method="inverted_cdf")
        assert limit == pytest.approx(exact, rel=LATENCY_GROWTH - 1)
        allowed = limit * LATENCY_GROWTH ** np.ceil(np.log(1.2) / np.log(LATENCY_GROWTH))
        assert (hits_s[tick], trials_s[tick]) == ((stable[tick] > limit).sum(), 200)
        assert (hits_c[tick], trials_c[tick]) == ((candidate[tick] > allowed).sum(), 40)


def test_a_millisecond_is_no_slowness() -> None:
    _, _, series = _ticks(3)
    columns = quantile_columns(series, 0.5)
    with_floor = exceedances(series, columns, slower_by=0.0, floor_ms=5.0, side=1)[1][0]
    without = exceedances(series, columns, slower_by=0.0, floor_ms=0.0, side=1)[1][0]
    faster = exceedances(series, columns, slower_by=-0.5, floor_ms=5.0, side=1)[1][0]
    assert with_floor.sum() < without.sum() < faster.sum()


def test_whole_buckets_never_make_a_bet_easier() -> None:
    _, _, series = _ticks(4)
    columns = quantile_columns(series, 0.5)
    for_slower, for_faster = (
        exceedances(series, columns, slower_by=0.11, floor_ms=0.0, side=side)[1][0].sum() for side in (1, -1)
    )
    assert for_slower < for_faster


def test_no_ticks_give_empty_series() -> None:
    assert series_of([]).stable.queries.shape == (0,)
