"""Users who click on mixed answers, and what a judge makes of it: a harmless candidate is kept, a worse one never passes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import inf

import numpy as np
import pytest

from vectis.domain.evidence import Evidence
from vectis.domain.feedback import AnsweredQuery, FeedbackKind, Opinion, preferences
from vectis.domain.judgements import Analysis, Verdict
from vectis.rollouts.judging.defaults import PREFERENCE
from vectis.rollouts.judging.judge import judge
from vectis.search.interleaving import coins, team_draft
from vectis.search.requests import Hit

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANALYSIS = Analysis((PREFERENCE,))
PAGES, SHOWN, LOOKED_AT = 30, 10, 0.7
"""Documents that a query could mean, results of an answer, and the share of users that goes on to the next result."""


def opinions(rng: np.random.Generator, users: int, *, stable: float, candidate: float) -> Iterator[Opinion]:
    """What users click on, each with a query of his own. A variant ranks by how good documents are and an error of this size;
    users click on good ones, and on what stands first."""
    for number in range(users):
        good = rng.random(PAGES) ** 2
        rankings = [np.argsort(-(good + error * rng.standard_normal(PAGES)))[:SHOWN] for error in (stable, candidate)]
        found = dict(
            zip(("stable", "candidate"), ([Hit(int(page), 1.0) for page in each] for each in rankings), strict=True)
        )
        query = f"q{number:06}"
        for rank, pick in enumerate(team_draft(found, limit=SHOWN, coins=coins(f"{query} {good[0]}"))):
            if rng.random() < good[int(pick.hit.id)] * LOOKED_AT**rank:
                answered = AnsweredQuery("docs", 1, "candidate", 50.0, number, query, 0, b"")
                at = NOW + timedelta(seconds=number)
                yield Opinion(answered, FeedbackKind.CLICK, str(pick.hit.id), 1.0, at, pick.team)


def judged(seed: int, users: int, *, stable: float = 0.1, candidate: float = 0.1) -> tuple[set[Verdict], float]:
    """Every verdict of a judge who looks after each 50 answers, and how many it took to pass."""
    said = list(opinions(np.random.default_rng([17, seed]), users, stable=stable, candidate=candidate))
    told = tuple(preferences(said, candidate="candidate", before=NOW + timedelta(days=9), interleaved=True))
    verdicts = {
        look: judge(Evidence(preferences=told[:look]), ANALYSIS, stages=3).verdict for look in range(50, len(told), 50)
    }
    return set(verdicts.values()), next((n for n, verdict in verdicts.items() if verdict is Verdict.SUCCESSFUL), inf)


def test_of_harmless_candidates_none_is_taken_back_and_most_pass() -> None:
    """A rollout of three stages may take one in a hundred back; the seed makes the answer always the same."""
    ends = [judged(run, 1500) for run in range(12)]
    assert not any(Verdict.FAILED in verdicts for verdicts, _ in ends)
    assert sorted(needed for _, needed in ends)[-1] <= 400


@pytest.mark.parametrize("run", range(3))
def test_a_worse_candidate_is_taken_back_and_never_passes(run: int) -> None:
    verdicts, _ = judged(run, 1500, candidate=0.6)
    assert Verdict.FAILED in verdicts
    assert Verdict.SUCCESSFUL not in verdicts


def test_a_better_candidate_passes_soon() -> None:
    assert judged(1, 600, stable=0.6)[1] <= 200
