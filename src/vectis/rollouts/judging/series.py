"""The ticks of a stage as arrays, one row per tick, and the shape of latencies in them."""

import math
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from vectis.domain.evidence import LATENCY_GROWTH, Tick, VariantTick
from vectis.rollouts.judging.betting import Array, Side

_ROUNDING = 1e-9
"""An allowance of whole buckets stays one, whatever the last digit of its logarithm."""


class VariantSeries(msgspec.Struct, frozen=True):
    """One variant, by tick; shape (ticks,). `latency_upto` has shape (ticks, buckets) and counts the answers that took as long
    as the bucket or less."""

    queries: Array
    errors: Array
    empty: Array
    degraded: Array
    keys: Array
    latency_upto: Array


class Series(msgspec.Struct, frozen=True):
    """Both variants. Column i of the latencies stands for bucket `first_bucket` + i."""

    stable: VariantSeries
    candidate: VariantSeries
    candidate_share: Array
    first_bucket: int


def series_of(ticks: Sequence[Tick]) -> Series:
    """The arrays of these ticks."""
    used = {bucket for tick in ticks for variant in (tick.stable, tick.candidate) for bucket in variant.latency}
    first, last = (min(used), max(used)) if used else (0, 0)
    return Series(
        stable=_variant([tick.stable for tick in ticks], first, last),
        candidate=_variant([tick.candidate for tick in ticks], first, last),
        candidate_share=_column(tick.candidate_percent / 100 for tick in ticks),
        first_bucket=first,
    )


def quantile_columns(series: Series, quantile: float) -> NDArray[np.int64]:
    """For each tick the column of the stable variant's latency quantile in the ticks before; -1 for a tick with none before."""
    before = np.cumsum(series.stable.latency_upto, axis=0) - series.stable.latency_upto
    answered = before[:, -1:]
    columns = np.asarray((before >= quantile * answered).argmax(axis=1), dtype=np.int64)
    return np.where(answered[:, 0] > 0, columns, -1)


def exceedances(
    series: Series, columns: NDArray[np.int64], *, slower_by: float, floor_ms: float, side: Side
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """How many queries of the stable variant took longer than its quantile, and how many of the candidate longer than that
    and an allowance: (hits, trials) of both, each of shape (ticks,); ticks without a quantile count no trials.

    The allowance is `slower_by` of the quantile, and `floor_ms` at least when `slower_by` is not negative; in whole buckets, so
    rounded that a bet on this `side` gets harder. While the
    candidate's quantile keeps within it, its rate of exceedance is not above the stable one's, whatever both went through.
    """
    quantiles_ms = LATENCY_GROWTH ** (series.first_bucket + columns.astype(np.float64))
    allowed_ms = quantiles_ms * (1 + slower_by)
    if slower_by >= 0:
        allowed_ms = np.maximum(allowed_ms, quantiles_ms + floor_ms)
    buckets = np.log(allowed_ms / quantiles_ms) / math.log(LATENCY_GROWTH)
    shift = (np.ceil(buckets - _ROUNDING) if side == 1 else np.floor(buckets + _ROUNDING)).astype(np.int64)
    known = columns >= 0
    return (
        (_above(series.stable.latency_upto, columns), np.where(known, series.stable.latency_upto[:, -1], 0.0)),
        (
            _above(series.candidate.latency_upto, columns + shift),
            np.where(known, series.candidate.latency_upto[:, -1], 0.0),
        ),
    )


def latency_quantile_ms(series: Series, variant: VariantSeries, quantile: float) -> float:
    """The upper bound of the bucket that holds the quantile of all ticks; NaN without samples."""
    upto = variant.latency_upto.sum(axis=0)
    if upto[-1] == 0:
        return math.nan
    column = int(np.argmax(upto >= quantile * upto[-1]))
    return LATENCY_GROWTH ** (series.first_bucket + column)


def _above(upto: Array, columns: NDArray[np.int64]) -> Array:
    """For each row what lies beyond the column, which may be outside: before the first lies all, beyond the last nothing."""
    inside = np.clip(columns, 0, upto.shape[1] - 1)
    return upto[:, -1] - np.where(columns < 0, 0.0, upto[np.arange(len(upto)), inside])


def _variant(ticks: Sequence[VariantTick], first: int, last: int) -> VariantSeries:
    latency = np.zeros((len(ticks), last - first + 1))
    for row, tick in enumerate(ticks):
        for bucket, count in tick.latency.items():
            latency[row, bucket - first] = count
    return VariantSeries(
        queries=_column(tick.queries for tick in ticks),
        errors=_column(tick.errors for tick in ticks),
        empty=_column(tick.empty for tick in ticks),
        degraded=_column(tick.degraded for tick in ticks),
        keys=_column(tick.keys for tick in ticks),
        latency_upto=np.cumsum(latency, axis=1),
    )


def _column(values: Iterable[float]) -> Array:
    return np.fromiter(values, dtype=np.float64)
