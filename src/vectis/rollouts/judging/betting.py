"""Tests by betting: the wealth of a gambler to whom the hypothesis offers fair odds. Three games, and reading their wealth.

While the hypothesis holds, wealth reaches 1/alpha at any time with probability alpha at most (Ville's inequality), so one may
look as often as one likes. Ramdas et al., Game-theoretic statistics and safe anytime-valid inference, Statistical Science 2023.
"""

from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]
Side = Literal[1, -1]
"""1 bets that the true value is above the boundary, -1 that it is below."""

FRACTIONS: Array = 0.95 * np.exp2(-np.arange(8, dtype=np.float64))
"""Eight gamblers share the stake; each always risks its fraction of the largest bet that cannot ruin it."""

_PRIOR_WEIGHT = 20.0
_BISECTIONS = 14


def bet_on_mean(values: Array, *, low: float, high: float, boundary: float, side: Side) -> Array:
    """Log wealth after each of `values`, which lie in [low, high], betting on their mean against `boundary`.

    Shape in and out: (n,). Fair for every process whose conditional means are on the other side of the boundary.
    Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS B 2024, section 4.
    """
    room = (boundary - low) if side == 1 else (high - boundary)
    if values.size == 0:
        return np.zeros(0)
    with np.errstate(divide="ignore"):
        steps = np.log1p(FRACTIONS[:, None] * side * (values - boundary)[None, :] / max(room, 1e-12))
    return _shared(steps)


def bet_on_difference(
    stable: tuple[Array, Array], candidate: tuple[Array, Array], *, boundary: float, side: Side, rate: float
) -> Array:
    """Log wealth after each tick, betting on the candidate's rate minus the stable's against `boundary`.

    Each variant is (hits, trials), both of shape (ticks,). `rate` is a first guess of the stable rate. The rates may change
    from tick to tick, for both alike. With n trials and centre t, the candidate's bet l per trial and the stable's bet
    -l n_candidate / n_stable have an expected product of at most exp(n_candidate l (rate_candidate - rate_stable - boundary)),
    whatever t is, because log(1 + x) <= x; centre and bets use earlier ticks only. After Turner and Gruenwald, Exact
    anytime-valid confidence intervals for contingency tables and beyond, Statistics and Probability Letters 2023.
    """
    played = (stable[1] > 0) & (candidate[1] > 0)
    hits_s, trials_s = (np.where(played, each, 0.0) for each in stable)
    hits_c, trials_c = (np.where(played, each, 0.0) for each in candidate)
    ratio = np.divide(trials_c, trials_s, out=np.ones_like(trials_c), where=played)
    centre = _centre(hits_s + hits_c - boundary * trials_c, trials_s + trials_c, rate, boundary)
    ahead = np.clip(centre + boundary, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        if side == 1:
            largest = np.minimum(1 / ahead, 1 / (ratio * (1 - centre)))
        else:
            largest = np.minimum(1 / (1 - ahead), 1 / (ratio * centre))
    bet = side * FRACTIONS[:, None] * np.minimum(largest, 1e6)
    steps = (
        hits_c * np.log1p(bet * (1 - ahead))
        + (trials_c - hits_c) * np.log1p(-bet * ahead)
        + hits_s * np.log1p(-bet * ratio * (1 - centre))
        + (trials_s - hits_s) * np.log1p(bet * ratio * centre)
    )
    return _shared(steps)


def bet_on_split(hits: Array, trials: Array, share: Array) -> Array:
    """Log wealth after each tick, betting that `hits` of `trials` are not a `share` of them.

    The bet is a Beta prior about the share; wealth is the Bayes factor. Lindon and Malek, Anytime-valid inference for
    multinomial count data, NeurIPS 2022. Shares in (0, 1) may differ between ticks, as long as each lasts for whole ticks.
    """
    known = np.log(share) * hits + np.log1p(-share) * (trials - hits)
    wealth = np.zeros_like(trials)
    for each in np.unique(share):
        at = share == each
        total_hits = np.cumsum(np.where(at, hits, 0.0))
        total_misses = np.cumsum(np.where(at, trials - hits, 0.0))
        prior = (2 * each, 2 * (1 - each))
        marginal = _betaln(prior[0] + total_hits, prior[1] + total_misses) - _betaln(*prior)
        wealth += marginal - np.cumsum(np.where(at, known, 0.0))
    return wealth


def best(log_wealth: Array) -> float:
    """The highest log wealth at any look; 0, the stake, before the first."""
    return float(np.max(log_wealth, initial=0.0))


def farthest_rejected(rejects: Callable[[float], bool], near: float, far: float) -> float:
    """The boundary between `near` and `far` up to which `rejects` holds; `near` when it does not hold there.

    Rejecting must become harder on the way from near to far. All boundaries that a test does not reject are a confidence
    sequence. Howard et al., Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals of Statistics 2021.
    """
    if not rejects(near):
        return near
    for _ in range(_BISECTIONS):
        middle = (near + far) / 2
        near, far = (middle, far) if rejects(middle) else (near, middle)
    return near


def _shared(steps: Array) -> Array:
    """Log of the mean wealth of the gamblers. Shape (gamblers, looks) -> (looks,)."""
    wealth = np.cumsum(steps, axis=1)
    return np.logaddexp.reduce(wealth, axis=0) - np.log(len(FRACTIONS))


def _centre(hits: Array, trials: Array, rate: float, boundary: float) -> Array:
    """The stable rate at the boundary as the ticks before each tick suggest it."""
    before = np.concatenate(([0.0], np.cumsum(hits)[:-1])), np.concatenate(([0.0], np.cumsum(trials)[:-1]))
    guess = (_PRIOR_WEIGHT * rate + before[0]) / (_PRIOR_WEIGHT + before[1])
    return np.clip(guess, max(0.0, -boundary), min(1.0, 1.0 - boundary))


def _betaln(a: Any, b: Any) -> Array:
    return np.asarray(cast("Any", special).betaln(a, b), dtype=np.float64)
