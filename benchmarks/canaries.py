"""A simulated search service under a canary: its users, latencies, outages, and what a worse candidate does to them.

Queries come from many users with one query each and from a hundred heavy ones, who keep their variant, have latencies of their
own and count with at most `per_key_max` queries in a stage. Latency is log-normal with a Pareto tail. Load swings through the
day; stalls and outages hit both variants at the same time.
"""

import math

import msgspec
import numpy as np

from vectis.domain.evidence import LATENCY_GROWTH, JudgedPair
from vectis.rollouts.judging.series import Series, VariantSeries

QUERIES_PER_TICK = 200
MEDIAN_MS = 8.0
SIGMA = 0.5
TAIL_SHARE = 0.03
TAIL_INDEX = 1.5
HEAVY_USERS = 100
HEAVY_SIGMA = 0.3
HEAVY_SHARE = 0.5
STALL_RATE = 0.02
OUTAGE_RATE = 0.01
ERRORS = 0.002
ERRORS_IN_OUTAGE = 0.2
EMPTY = 0.03
DEGRADED = 0.001
DEGRADED_IN_OUTAGE = 0.8
NDCG_NOISE = 0.15
TICKS_PER_DAY = 2880


class Effect(msgspec.Struct, frozen=True):
    """What the candidate does: latency times a factor, more errors (a share of all queries), nDCG@10 lower by a share of it."""

    latency: float = 1.0
    errors: float = 0.0
    ndcg: float = 0.0


class Canary:
    """The traffic of one rollout. `per_key_max` None counts every query of every user."""

    def __init__(self, rng: np.random.Generator, effect: Effect, *, per_key_max: int | None = 3) -> None:
        self._rng = rng
        self._effect = effect
        self._per_key_max = per_key_max
        self._heavy_logs = rng.normal(0.0, HEAVY_SIGMA, HEAVY_USERS)
        self._heavy_weights = 1 / np.arange(1, HEAVY_USERS + 1)
        self._heavy_position = rng.random(HEAVY_USERS)
        self._clock = int(rng.integers(TICKS_PER_DAY))

    def ticks(self, count: int, share: float, *, first: bool) -> Series:
        """The next ticks of a stage that gives this share to the candidate; `first` when the stage begins with them."""
        rng = self._rng
        phase = 2 * math.pi * (self._clock + np.arange(count)) / TICKS_PER_DAY
        self._clock += count
        load = 1 + 0.5 * np.sin(phase)
        once = rng.poisson(QUERIES_PER_TICK * (1 - HEAVY_SHARE) * load)
        by_user = self._heavy(count, load, first=first)
        stalls = np.log(1 + _bursts(rng, count, STALL_RATE) * rng.uniform(1, 5, count))
        outages = _bursts(rng, count, OUTAGE_RATE)
        tick = np.concatenate((np.repeat(np.arange(count), once), np.repeat(*_indices(by_user, axis=0))))
        user = np.repeat(*_indices(by_user, axis=1))
        alone = int(once.sum())
        logs = self._latencies(len(tick))
        logs[alone:] += self._heavy_logs[user]
        logs += 0.15 * (load - 1)[tick]
        # a stall hits half of the queries of its tick
        logs += np.where(rng.random(len(tick)) < 0.5, stalls[tick], 0.0)
        chosen = np.concatenate((rng.random(alone) < share, self._heavy_position[user] < share))
        logs[chosen] += math.log(self._effect.latency)
        buckets = np.ceil(logs / math.log(LATENCY_GROWTH)).astype(np.int64)
        low, high = int(buckets.min()), int(buckets.max())
        variants = [
            self._variant(tick[mask], buckets[mask] - low, (count, high - low + 1), outages, errors)
            for mask, errors in ((~chosen, 0.0), (chosen, self._effect.errors))
        ]
        return Series(variants[0], variants[1], np.full(count, share), low)

    def judged(self, count: int) -> tuple[JudgedPair, ...]:
        """Judged queries: both variants err alike and apart; a worse candidate loses a quarter on some queries."""
        rng = self._rng
        level = np.where(rng.random(count) < 0.2, 0.0, np.where(rng.random(count) < 0.4, 1.0, rng.beta(2, 1.2, count)))
        scores = [
            np.clip(level + np.where(rng.random(count) < 0.4, rng.normal(0, NDCG_NOISE, count), 0), 0, 1) for _ in "sc"
        ]
        hurt = rng.random(count) < self._effect.ndcg / 0.25
        scores[1] = np.where(hurt, 0.75 * scores[1], scores[1])
        return tuple(
            JudgedPair(str(i), {"ndcg@10": s, "recall@10": s}, {"ndcg@10": c, "recall@10": c})
            for i, (s, c) in enumerate(zip(scores[0].tolist(), scores[1].tolist(), strict=True))
        )

    def _heavy(self, count: int, load: np.ndarray, *, first: bool) -> np.ndarray:
        """Counted queries of each heavy user in each tick: shape (ticks, users)."""
        per_tick = QUERIES_PER_TICK * HEAVY_SHARE * self._heavy_weights / self._heavy_weights.sum()
        asked = self._rng.poisson(load[:, None] * per_tick)
        if self._per_key_max is None:
            return asked
        if not first:
            return np.zeros_like(asked)
        before = np.cumsum(asked, axis=0) - asked
        return np.clip(self._per_key_max - before, 0, asked)

    def _latencies(self, count: int) -> np.ndarray:
        logs = self._rng.standard_normal(count) * SIGMA + math.log(MEDIAN_MS)
        tail = self._rng.random(count) < TAIL_SHARE
        logs[tail] += self._rng.exponential(1 / TAIL_INDEX, int(tail.sum()))
        return logs

    def _variant(
        self, tick: np.ndarray, buckets: np.ndarray, shape: tuple[int, int], outages: np.ndarray, errors: float
    ) -> VariantSeries:
        rng = self._rng
        counts = np.bincount(tick * shape[1] + buckets, minlength=shape[0] * shape[1]).reshape(shape)
        queries = counts.sum(axis=1)
        failing = np.clip(np.where(outages > 0, ERRORS_IN_OUTAGE, ERRORS) + errors, 0, 1)
        degraded = np.where(outages > 0, DEGRADED_IN_OUTAGE, DEGRADED)
        return VariantSeries(
            queries=queries.astype(float),
            errors=rng.binomial(queries, failing).astype(float),
            empty=rng.binomial(queries, EMPTY).astype(float),
            degraded=rng.binomial(queries, degraded).astype(float),
            keys=queries.astype(float),
            latency_upto=np.cumsum(counts, axis=1, dtype=float),
        )


def joined(first: Series, second: Series) -> Series:
    """The ticks of `first`, then those of `second`."""
    low = min(first.first_bucket, second.first_bucket)
    high = max(each.first_bucket + each.stable.latency_upto.shape[1] for each in (first, second))

    def variant(name: str) -> VariantSeries:
        parts = [getattr(each, name) for each in (first, second)]
        widened = [
            part.latency_upto[:, np.clip(np.arange(low, high) - each.first_bucket, 0, part.latency_upto.shape[1] - 1)]
            * (np.arange(low, high) >= each.first_bucket)
            for part, each in zip(parts, (first, second), strict=True)
        ]
        columns = {
            field: np.concatenate([getattr(part, field) for part in parts])
            for field in VariantSeries.__struct_fields__
            if field != "latency_upto"
        }
        return VariantSeries(**columns, latency_upto=np.concatenate(widened))

    share = np.concatenate((first.candidate_share, second.candidate_share))
    return Series(variant("stable"), variant("candidate"), share, low)


def _bursts(rng: np.random.Generator, count: int, rate: float) -> np.ndarray:
    """1 in the ticks of a burst, 0 elsewhere; bursts last one to five ticks."""
    starts = (rng.random(count) < rate) * rng.integers(1, 6, count)
    return np.array(
        [np.any(starts[max(0, i - 4) : i + 1] > np.arange(min(i, 4), -1, -1)) for i in range(count)], dtype=float
    )


def _indices(counts: np.ndarray, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Arguments of np.repeat that give, for each counted thing, its index along the axis."""
    return np.indices(counts.shape)[axis].ravel(), counts.ravel()
