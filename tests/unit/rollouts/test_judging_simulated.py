"""A small part of `make bench-judging`: harmless candidates are kept, worse ones never promoted."""

import numpy as np
import pytest

from benchmarks.canaries import Canary, Effect
from benchmarks.judging import WORSE, roll_out
from vectis.domain.evidence import Evidence, Tick, VariantTick
from vectis.domain.judgements import Verdict
from vectis.domain.rollouts import ChangeKind, Stage
from vectis.rollouts.judging.defaults import stage_analysis
from vectis.rollouts.judging.games import traffic_games
from vectis.rollouts.judging.judge import certainty_to_fail, judge
from vectis.rollouts.judging.series import Series, VariantSeries


def test_harmless_candidates_are_not_aborted() -> None:
    """At a rate of 1 %, two or more of 16 are aborted with a probability of 1 %; the seed makes the answer always the same."""
    ends = [roll_out(Canary(np.random.default_rng([100, run]), Effect())).end for run in range(16)]
    assert ends.count("aborted") <= 1
    assert ends.count("promoted") >= 13


@pytest.mark.parametrize("name", WORSE)
def test_worse_candidates_are_aborted(name: str) -> None:
    ends = [roll_out(Canary(np.random.default_rng([200, run]), WORSE[name])).end for run in range(6)]
    assert ends.count("promoted") == 0
    assert ends.count("aborted") >= 5


def test_the_judge_fails_at_the_tick_at_which_the_wealth_says_so() -> None:
    """The simulation reads whole paths of wealth; asked at every tick, the judge says the same."""
    series = Canary(np.random.default_rng(7), Effect(errors=0.05)).ticks(40, 0.25, first=True)
    whole = stage_analysis(ChangeKind.REEMBED, Stage(25, duration_s=60, excess_errors=0.02))
    errors = whole.metrics[0]
    needed = certainty_to_fail(whole, stages=3)
    expected = int((traffic_games(series)["error_rate"]().play(errors.margin, 1) >= needed).argmax())
    ticks = _ticks(series)
    failed = [
        judge(Evidence(ticks=ticks[: look + 1]), whole, stages=3).metrics[0].verdict is Verdict.FAILED
        for look in range(expected + 3)
    ]
    assert failed.index(True) == expected > 0
    assert all(failed[expected:])


def _ticks(series: Series) -> tuple[Tick, ...]:
    def variant(of: VariantSeries, tick: int) -> VariantTick:
        counts = np.diff(of.latency_upto[tick], prepend=0)
        return VariantTick(
            queries=int(of.queries[tick]),
            errors=int(of.errors[tick]),
            latency={series.first_bucket + int(column): int(counts[column]) for column in np.flatnonzero(counts)},
            keys=int(of.keys[tick]),
        )

    return tuple(
        Tick(variant(series.stable, tick), variant(series.candidate, tick), float(share) * 100)
        for tick, share in enumerate(series.candidate_share)
    )
