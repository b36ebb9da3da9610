"""What users say of answers: whose ids are believed, and what it tells of the variants."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from vectis.domain.errors import InvalidInput
from vectis.domain.feedback import TEAMS_MAX, AnsweredQuery, Draft, FeedbackKind, Opinion, QueryIds, preferences

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
IDS = QueryIds(b"a secret")
ANSWERED = AnsweredQuery("acme~docs", 7, "candidate", 12.5, IDS.hashed("ada"), "0123456789abcdef", 1_772_366_400)


def said(
    query: int,
    variant: str,
    rating: float | None = None,
    *,
    key: int | None = None,
    after_s: float = 0,
    share: float = 50.0,
) -> Opinion:
    """Something said about a query, which was first spoken of at as many seconds as its number."""
    answered = AnsweredQuery("docs", 1, variant, share, query if key is None else key, f"q{query:06}", 0)
    kind = FeedbackKind.CLICK if rating is None else FeedbackKind.RATING
    at = NOW + timedelta(seconds=query + after_s)
    return Opinion(answered, kind, "r", 1.0 if rating is None else rating, at)


def said_of_mixed(
    query: int, team: str, rating: float | None = None, *, key: int | None = None, result: str = "r"
) -> Opinion:
    """Something said about a result of a mixed answer."""
    plain = said(query, "candidate", rating, key=key)
    return replace(plain, answered=replace(plain.answered, teams=b""), team=team, result=result)


def told_of_mixed(*opinions: Opinion, before: datetime = LATER) -> list[float]:
    return preferences(opinions, candidate="candidate", before=before, interleaved=True)


def told(*opinions: Opinion, before: datetime = LATER, candidate: str = "candidate", part: float = 1.0) -> list[float]:
    return preferences(opinions, candidate=candidate, before=before, part=part)


def test_an_id_says_who_answered_and_fits_into_a_header() -> None:
    text = IDS.give(ANSWERED)
    assert IDS.read(text) == ANSWERED
    assert len(text) < 200
    assert text.replace("-", "").replace("_", "").isalnum()
    assert text[0].isalpha(), "a command line would take it for an option"


def test_an_id_that_was_made_or_changed_by_others_is_refused() -> None:
    text = IDS.give(ANSWERED)
    changed = [text[:i] + ("A" if text[i] != "A" else "B") + text[i + 1 :] for i in range(len(text) - 1)]
    for wrong in (*changed, QueryIds(b"another secret").give(ANSWERED), "", "ä", "A" * 500, text[:-4]):
        with pytest.raises(InvalidInput, match="X-Vectis-Query-Id"):
            IDS.read(wrong)


def test_the_id_of_a_mixed_answer_says_whose_its_first_results_were() -> None:
    teams = {f"page-{number}": ("candidate" if number % 3 else "stable") for number in range(TEAMS_MAX + 5)}
    draft = Draft("0123456789abcdef", ("docs_1", "docs_2"), teams)
    text = IDS.give(replace(ANSWERED, teams=IDS.teams(draft)))
    assert len(text) < 300
    answered = IDS.read(text)
    assert [IDS.team_of(answered, result) for result in teams] == [*list(teams.values())[:TEAMS_MAX], *[""] * 5]
    assert IDS.team_of(answered, "both") == IDS.team_of(ANSWERED, "page-1") == ""


def test_a_mixed_answer_is_for_the_team_with_more_clicks() -> None:
    clicks = [("candidate", "a"), ("stable", "b"), ("candidate", "c")]
    assert told_of_mixed(*(said_of_mixed(0, team, result=result) for team, result in clicks)) == [1.0]
    assert told_of_mixed(*(said_of_mixed(0, team, result=result) for team, result in clicks[:2])) == [0.5]
    assert told_of_mixed(said_of_mixed(0, "stable")) == [0.0]
    assert told_of_mixed(said_of_mixed(0, "")) == [0.5], "what both picked is in favour of neither"


def test_ratings_of_a_mixed_answer_count_where_results_of_both_were_rated() -> None:
    ours, theirs = said_of_mixed(0, "candidate", 0.4), said_of_mixed(0, "stable", 0.6)
    click = said_of_mixed(0, "candidate", result="s")
    assert told_of_mixed(ours, theirs, click) == [0.0]
    assert told_of_mixed(ours, click) == [1.0]
    assert told_of_mixed(ours) == []
    assert told_of_mixed(replace(ours, team=""), theirs) == []


def test_mixed_answers_and_others_are_told_apart_and_a_key_counts_three_times() -> None:
    opinions = [said(number, "stable") for number in range(5)] + [said_of_mixed(9, "candidate")]
    assert told_of_mixed(*opinions) == [1.0]
    assert told(*opinions) == [0.0] * 5
    assert told_of_mixed(*(said_of_mixed(number, "candidate", key=9) for number in range(100))) == [1.0] * 3


@pytest.mark.parametrize("share", [1.0, 5.0, 50.0, 75.0, 99.0])
def test_clicks_of_a_harmless_candidate_are_even_whatever_its_share(share: float) -> None:
    ours, theirs = told(said(0, "candidate", share=share), said(1, "stable", share=share))
    assert share / 100 * ours + (1 - share / 100) * theirs == pytest.approx(0.5)
    assert 0 <= theirs < ours <= 1


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_of_several_candidates_each_is_held_against_stable_by_their_own_shares(part: float) -> None:
    share = 0.6 * part
    ours, theirs = told(
        said(0, "a", share=60), said(1, "b", share=60), said(2, "stable", share=60), candidate="a", part=part
    )
    assert (share * ours + 0.4 * theirs) / (share + 0.4) == pytest.approx(0.5)


def test_ratings_are_held_against_the_next_one_of_the_other_variant() -> None:
    opinions = [said(0, "stable", 0.2), said(1, "stable", 1.0), said(2, "candidate", 0.4), said(3, "candidate", 1.0)]
    assert told(*opinions) == [1.0, 0.5]
    assert told(*opinions, said(4, "candidate", 0.1), said(5, "stable", 0.9)) == [1.0, 0.5, 0.0]


def test_ratings_of_a_query_count_by_their_mean_and_more_than_clicks() -> None:
    one = [said(0, "candidate"), said(0, "candidate", 1.0, after_s=1), said(0, "candidate", 0.0, after_s=2)]
    assert told(*one, said(1, "stable", 0.4)) == [1.0]
    assert told(*one, said(1, "stable", 0.6)) == [0.0]


def test_what_is_said_late_changes_nothing() -> None:
    before = [said(0, "candidate", 0.5), said(1, "stable", 0.6)]
    assert told(*before) == told(*before, said(0, "candidate", 1.0, after_s=61)) == [0.0]


def test_one_who_says_a_lot_does_not_weigh_more() -> None:
    assert told(*(said(number, "candidate", key=9) for number in range(100))) == [1.0] * 3


def test_what_was_told_once_stays_as_it_was() -> None:
    dice = random.Random(11)
    opinions = [
        said(
            dice.randrange(300), dice.choice(["stable", "candidate"]), dice.choice([None, dice.random()]),
            key=dice.randrange(80), after_s=dice.random() * 90,
        )
        for _ in range(400)
    ]  # fmt: skip
    looks = [NOW + timedelta(seconds=second) for second in range(0, 500, 7)]
    mixed = [
        replace(
            opinion,
            answered=replace(opinion.answered, variant="candidate", teams=b""),
            team=dice.choice(["stable", "candidate", ""]),
            result=str(dice.random()),
        )
        for opinion in opinions
    ]
    for every, tell in ((opinions, told), (mixed, told_of_mixed)):
        seen: list[float] = []
        for look in looks:
            now = tell(*(opinion for opinion in every if opinion.at < look), before=look)
            assert now[: len(seen)] == seen
            seen = now
        assert len(seen) > 50
