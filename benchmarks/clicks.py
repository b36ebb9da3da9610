"""Users who click on answers, each with a query of his own: on answers that were mixed of both variants, and on those of one."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from vectis.domain.evidence import Evidence
from vectis.domain.feedback import AnsweredQuery, FeedbackKind, Opinion, preferences
from vectis.domain.judgements import Analysis
from vectis.rollouts.judging.defaults import PREFERENCE
from vectis.rollouts.judging.games import query_games
from vectis.rollouts.judging.judge import certainty_to_fail
from vectis.search.interleaving import coins, team_draft
from vectis.search.requests import Hit

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
PAGES, SHOWN, LOOKS_ON = 30, 10, 0.7
"""Documents that a query could mean, results of an answer, and the share of users that goes on to the next result."""

USERS = 2000
ERRORS = {"as good": 0.1, "a little worse": 0.2, "worse": 0.3, "damaged": 0.6}
"""How far a candidate's ranking is off; the stable variant's is 0.1. Documents are from 0, useless, to 1."""

STAGES = 3


class Ended(msgspec.Struct, frozen=True):
    """How a stage ended, `passed`, `failed` or `open`, and after how many answers that somebody clicked on."""

    end: str
    answers: int


def opinions(rng: np.random.Generator, users: int, *, candidate: float, mixed: bool) -> Iterator[Opinion]:
    """What they click on. A variant ranks by how good documents are and an error of its size; users click on good ones, and
    on what stands first."""
    for number in range(users):
        good = rng.random(PAGES) ** 2
        errors = {"stable": ERRORS["as good"], "candidate": candidate}
        found = {name: _ranked(good + error * rng.standard_normal(PAGES)) for name, error in errors.items()}
        variant = "candidate" if mixed or rng.random() < 0.5 else "stable"
        answered = AnsweredQuery("docs", 1, variant, 50.0, number, f"q{number:06}", 0, b"" if mixed else None)
        shown = [(hit, "") for hit in found[variant]]
        if mixed:
            shown = list(team_draft(found, limit=SHOWN, coins=coins(f"{number} {good[0]}")))
        for rank, (hit, team) in enumerate(shown):
            if rng.random() < good[int(hit.id)] * LOOKS_ON**rank:
                at = BEGAN + timedelta(seconds=number)
                yield Opinion(answered, FeedbackKind.CLICK, str(hit.id), 1.0, at, team)


def stage(seed: Sequence[int], users: int, *, candidate: float, mixed: bool) -> Ended:
    """A stage of three that is judged by `preference`, looked at after every answer."""
    said = opinions(np.random.default_rng(seed), users, candidate=candidate, mixed=mixed)
    told = preferences(said, candidate="candidate", before=BEGAN + timedelta(days=9), interleaved=mixed)
    game = query_games(Evidence(preferences=tuple(told)))["preference"]()
    analysis = Analysis((PREFERENCE,))
    failed = game.play(PREFERENCE.margin, 1) >= certainty_to_fail(analysis, stages=STAGES)
    passed = game.play(PREFERENCE.tolerance, -1) >= math.log(1 / analysis.false_pass_rate)
    passed[: PREFERENCE.samples_min - 1] = False
    ends = {name: int(when.argmax()) + 1 for name, when in (("failed", failed), ("passed", passed)) if when.any()}
    end = min(ends, key=lambda name: ends[name], default="open")
    return Ended(end, ends.get(end, len(told)))


def study(runs: int) -> dict[str, Any]:
    """By candidate and way of answering: how many stages passed, failed and stayed open, and after how many answers half of those
    ended that did."""
    found: dict[str, Any] = {}
    for name, error in ERRORS.items():
        for way, mixed in (("mixed", True), ("of one variant", False)):
            ended = [stage([17, run], USERS, candidate=error, mixed=mixed) for run in range(runs)]
            ends = [each.end for each in ended]
            found[f"{name}, answers {way}"] = {
                **{end: ends.count(end) for end in ("passed", "failed", "open")},
                "answers_p50": int(np.median([each.answers for each in ended if each.end != "open"] or [USERS])),
            }
    return found


def _ranked(scores: np.ndarray[Any, np.dtype[np.float64]]) -> list[Hit]:
    return [Hit(int(page), 1.0) for page in np.argsort(-scores)[:SHOWN]]
