"""Experiments of three variants whose users rate answers: how often one is called better, or taken out, and whether it is."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from vectis.domain.evidence import Evidence
from vectis.domain.feedback import AnsweredQuery, FeedbackKind, Opinion, preferences
from vectis.domain.judgements import Analysis
from vectis.rollouts.judging.defaults import PREFERENCE
from vectis.rollouts.judging.games import query_games
from vectis.rollouts.judging.judge import certainty_to_fail, shared_among

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
SHARES = {"stable": 0.4, "a": 0.3, "b": 0.2, "c": 0.1}
USERS = 2000
"""Of one experiment; each rates one answer, from 0 to 1."""

SPREAD = 0.25
"""Standard deviation of what users think of equally good answers; the mean is 0.5 for the stable variant."""

GAINS: dict[str, Mapping[str, float]] = {
    "all alike": {},
    "a better by 0.1": {"a": 0.1},
    "a and b better by 0.1": {"a": 0.1, "b": 0.1},
    "b worse by 0.1": {"b": -0.1},
}


def opinions(rng: np.random.Generator, gains: Mapping[str, float]) -> Iterator[Opinion]:
    """What they say, one a second."""
    candidates_percent = 100 * (1 - SHARES["stable"])
    for number, variant in enumerate(rng.choice(list(SHARES), size=USERS, p=list(SHARES.values()))):
        answered = AnsweredQuery("docs", 1, str(variant), candidates_percent, number, f"q{number:06}", 0)
        rating = float(np.clip(rng.normal(0.5 + gains.get(variant, 0.0), SPREAD), 0, 1))
        yield Opinion(answered, FeedbackKind.RATING, "r", rating, BEGAN + timedelta(seconds=number))


def experiment(seed: Sequence[int], gains: Mapping[str, float]) -> dict[str, str]:
    """By variant `better` or `out` when it was ever so, looked at after every rating, else `open`."""
    said = list(opinions(np.random.default_rng(seed), gains))
    variants = [name for name in SHARES if name != "stable"]
    analysis = shared_among(Analysis((PREFERENCE,)), len(variants))
    found: dict[str, str] = {}
    for name in variants:
        part = SHARES[name] / (1 - SHARES["stable"])
        told = preferences(said, candidate=name, before=BEGAN + timedelta(days=9), part=part)
        game = query_games(Evidence(preferences=tuple(told)))["preference"]()
        out = game.play(PREFERENCE.margin, 1) >= certainty_to_fail(analysis, stages=1)
        better = game.play(0.0, -1) >= math.log(1 / analysis.false_pass_rate)
        found[name] = "out" if out.any() else "better" if better.any() else "open"
    return found


def study(runs: int) -> dict[str, Any]:
    """By what is different: in how many experiments any variant was called better or taken out, and which."""
    found: dict[str, Any] = {}
    for number, (name, gains) in enumerate(GAINS.items()):
        ended = [experiment([23, number, run], gains) for run in range(runs)]
        found[name] = {"runs": runs}
        for end in ("better", "out"):
            found[name][f"any_{end}"] = sum(end in each.values() for each in ended)
            found[name][end] = dict(Counter(variant for each in ended for variant, was in each.items() if was == end))
    return found
