"""The odds are fair: expected wealth is computed exactly, over every outcome. And the bets are won when they should be."""

import math
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
from scipy import stats

from vectis.rollouts.judging.betting import Array, best, bet_on_difference, bet_on_mean, bet_on_split, farthest_rejected

RATES = [0.01, 0.1, 0.3, 0.5, 0.8]


def _outcomes(trials: tuple[int, ...], rates: tuple[float, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every combination of hits with its probability."""
    for hits in product(*(range(n + 1) for n in trials)):
        chances = (math.comb(n, k) * p**k * (1 - p) ** (n - k) for k, n, p in zip(hits, trials, rates, strict=True))
        yield hits, math.prod(chances)


def _expected(trials: tuple[int, ...], rates: tuple[float, ...], wealth: Callable[[tuple[int, ...]], Array]) -> float:
    return sum(chance * float(np.exp(wealth(hits)[-1])) for hits, chance in _outcomes(trials, rates))


@pytest.mark.parametrize("boundary", [-0.05, 0.0, 0.02, 0.2])
@pytest.mark.parametrize("stable", RATES)
def test_a_bet_on_a_difference_of_rates_is_fair_at_its_boundary(stable: float, boundary: float) -> None:
    candidate = stable + boundary
    if not 0 <= candidate <= 1:
        return
    stable_trials, candidate_trials = (3, 4), (2, 2)
    for side in (1, -1):

        def wealth(hits: tuple[int, ...], side=side) -> Array:
            first, second = np.array(hits[:2], float), np.array(hits[2:], float)
            trials = np.array(stable_trials, float), np.array(candidate_trials, float)
            return bet_on_difference((first, trials[0]), (second, trials[1]), boundary=boundary, side=side, rate=stable)

        expected = _expected(stable_trials + candidate_trials, (stable, stable, candidate, candidate), wealth)
        assert 0 < expected <= 1 + 1e-9


def test_a_bet_on_a_difference_stays_fair_when_both_rates_change_together() -> None:
    def wealth(hits: tuple[int, ...]) -> Array:
        trials = np.array([5.0, 4.0]), np.array([3.0, 4.0])
        return bet_on_difference(
            (np.array(hits[:2], float), trials[0]),
            (np.array(hits[2:], float), trials[1]),
            boundary=0.0,
            side=1,
            rate=0.01,
        )

    assert _expected((5, 4, 3, 4), (0.02, 0.7, 0.02, 0.7), wealth) <= 1 + 1e-9


def test_a_bet_on_a_difference_is_not_fair_when_the_difference_is_there() -> None:
    def wealth(hits: tuple[int, ...]) -> Array:
        trials = np.array([5.0, 4.0]), np.array([3.0, 4.0])
        return bet_on_difference(
            (np.array(hits[:2], float), trials[0]),
            (np.array(hits[2:], float), trials[1]),
            boundary=0.0,
            side=1,
            rate=0.1,
        )

    assert _expected((5, 4, 3, 4), (0.1, 0.1, 0.7, 0.7), wealth) > 1.5


@pytest.mark.parametrize("mean", [0.2, 0.5, 0.9])
def test_a_bet_on_a_mean_is_fair_at_its_boundary(mean: float) -> None:
    for side in (1, -1):

        def wealth(hits: tuple[int, ...], side=side) -> Array:
            return bet_on_mean(np.array(hits, float), low=0.0, high=1.0, boundary=mean, side=side)

        assert _expected((1,) * 6, (mean,) * 6, wealth) == pytest.approx(1.0)


def test_a_bet_on_a_split_is_the_beta_binomial_over_the_binomial() -> None:
    hits, trials, share = np.array([3.0, 9.0]), np.array([20.0, 30.0]), np.array([0.25, 0.25])
    marginal = stats.betabinom.pmf(12, 50, 0.5, 1.5) / stats.binom.pmf(12, 50, 0.25)
    assert bet_on_split(hits, trials, share)[-1] == pytest.approx(np.log(marginal))


def test_a_bet_on_a_split_is_fair_also_when_the_share_changes() -> None:
    share = np.array([0.1, 0.5])

    def wealth(hits: tuple[int, ...]) -> Array:
        return bet_on_split(np.array(hits, float), np.array([6.0, 7.0]), share)

    assert _expected((6, 7), (0.1, 0.5), wealth) == pytest.approx(1.0)


def test_wealth_grows_with_the_evidence_and_best_remembers_it() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate((rng.beta(4, 2, 400), rng.beta(1, 4, 400)))
    wealth = bet_on_mean(values, low=0.0, high=1.0, boundary=0.5, side=1)
    assert wealth[399] > 20
    assert wealth[-1] < wealth[399]
    assert best(wealth) == wealth.max()
    assert best(np.zeros(0)) == 0.0


def test_a_tick_in_which_one_variant_answered_nothing_says_nothing() -> None:
    trials = np.array([100.0, 100.0]), np.array([50.0, 0.0])
    wealth = bet_on_difference(
        (np.array([1.0, 90.0]), trials[0]), (np.array([9.0, 0.0]), trials[1]), boundary=0.0, side=1, rate=0.01
    )
    assert wealth[0] == wealth[1] > 0


def test_a_confidence_sequence_covers_the_mean_at_every_look() -> None:
    """At 90 %, 100 sequences of 300 looks: the exact bound leaves at most 10 % outside."""
    rng = np.random.default_rng(11)
    outside = 0
    for _ in range(100):
        values = rng.beta(2, 3, 300)
        outside += best(bet_on_mean(values, low=0.0, high=1.0, boundary=0.4, side=1)) >= np.log(20)
        outside += best(bet_on_mean(values, low=0.0, high=1.0, boundary=0.4, side=-1)) >= np.log(20)
    assert outside <= 18, "more than 10 % with a probability below 1 %"


def test_the_farthest_rejected_boundary_is_found() -> None:
    assert farthest_rejected(lambda at: at < 0.3, -1.0, 1.0) == pytest.approx(0.3, abs=1e-3)
    assert farthest_rejected(lambda at: at > 0.3, 1.0, -1.0) == pytest.approx(0.3, abs=1e-3)
    assert farthest_rejected(lambda at: False, -1.0, 1.0) == -1.0
