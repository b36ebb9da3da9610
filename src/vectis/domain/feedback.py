"""What users make known about answers while an alias is shared out, and what it says about its variants. Pure."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from statistics import fmean

import msgspec

from vectis.domain.errors import InvalidInput
from vectis.domain.routes import STABLE

QUERIES_PER_KEY = 3
"""Answered queries of one routing key that count under one version of a route: who says more does not weigh more."""

SAID_WITHIN = timedelta(minutes=1)
"""After the first word about a query, what else is said about it counts for so long."""

TEAMS_MAX = 20
"""Results of a mixed answer of which its id can tell whose they were: it is a header, and users look at the first ones."""

_MARK_BYTES = 16
_PICK_BYTES = 3
_HASH_SHIFT = 40


class FeedbackKind(StrEnum):
    """A result was opened; a result was rated, from 0 (useless) to 1 (just right)."""

    CLICK = "click"
    RATING = "rating"


class AnsweredQuery(msgspec.Struct, frozen=True, array_like=True):
    """Who answered a query, for later: which variant of which alias, under which version of its route.

    `candidate_percent` is the share that the route gave to all candidates, `key` a keyed hash of the routing key, `query` the
    query's own random id, `at` Unix seconds. Of an answer that was mixed of both, the variant is the candidate, and
    `teams` says whose its results were; None of others.
    """

    alias: str
    route_version: int
    variant: str
    candidate_percent: float
    key: int
    query: str
    at: int
    teams: bytes | None = None


class Draft(msgspec.Struct, frozen=True):
    """How an answer was mixed of two collections: `query` is its own random id, `teams` the variant that picked a result, by the
    result's id and in their order. A result of both is in no team."""

    query: str
    collections: tuple[str, ...]
    teams: dict[str, str]


class Opinion(msgspec.Struct, frozen=True):
    """One thing that was said: `result` is a hash of the result's id, `value` the rating, 1 for a click. `team` is the variant
    that picked the result for a mixed answer, empty where both did and for other answers."""

    answered: AnsweredQuery
    kind: FeedbackKind
    result: str
    value: float
    at: datetime
    team: str = ""


class QueryIds:
    """Ids of answered queries that say who answered, and that nobody else can make. Every process with the key reads them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def give(self, answered: AnsweredQuery) -> str:
        """The id, of letters, digits, `-` and `_`, and with a letter first."""
        content = msgspec.msgpack.encode(answered)
        return urlsafe_b64encode(content + self._mark(content)).decode().rstrip("=")

    def read(self, text: str) -> AnsweredQuery:
        """Who answered. InvalidInput for what is no id of this server's."""
        try:
            whole = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            content, mark = whole[:-_MARK_BYTES], whole[-_MARK_BYTES:]
            if hmac.compare_digest(mark, self._mark(content)):
                return msgspec.msgpack.decode(content, type=AnsweredQuery)
        except ValueError:
            pass
        raise InvalidInput(
            "query_id: give back what X-Vectis-Query-Id of the answer said, as it was", field="query_id"
        ) from None

    def teams(self, draft: Draft) -> bytes:
        """Whose the first results were, in 3 bytes each: 23 bits of a hash of the result's id, and one for the candidate."""
        return b"".join(
            (self._short(result) << 1 | (team != STABLE)).to_bytes(_PICK_BYTES)
            for result, team in islice(draft.teams.items(), TEAMS_MAX)
        )

    def team_of(self, answered: AnsweredQuery, result: str) -> str:
        """The variant that picked a result for a mixed answer; empty where both did, and where the id does not tell."""
        teams = answered.teams or b""
        for place in range(0, len(teams), _PICK_BYTES):
            pick = int.from_bytes(teams[place : place + _PICK_BYTES])
            if pick >> 1 == self._short(result):
                return answered.variant if pick & 1 else STABLE
        return ""

    def hashed(self, text: str) -> int:
        """A number of 63 bits that stands for a text, and that nobody without the key can tell the text from."""
        return int.from_bytes(hmac.digest(self._key, b"text " + text.encode(errors="surrogatepass"), "sha256")[:8]) >> 1

    def _short(self, text: str) -> int:
        return self.hashed(text) >> _HASH_SHIFT

    def _mark(self, content: bytes) -> bytes:
        return hmac.digest(self._key, b"query " + content, "sha256")[:_MARK_BYTES]


def preferences(
    opinions: Iterable[Opinion], *, candidate: str, before: datetime, part: float = 1.0, interleaved: bool = False
) -> list[float]:
    """What opinions say for the candidate: 1 in favour of it, 0 in favour of the stable variant; a harmless one gets 0.5 in the
    mean, whatever its share of the traffic. What is said of other candidates is left out; `part` is its own of their shares.

    `interleaved`: of answers that were mixed of both, and no others. Each says whose results its user preferred; where other
    answers are counted too, their noise would hide it.

    A query counts by what was said about it within a minute, and when that is over: so what was told once stays as it was, and
    more only comes behind it. With ratings it counts by their mean, and each rated query of a variant is held against the next
    one of the other. With clicks alone it counts for the variant that answered, weighed by the candidate's share p of what both
    have: its click is min(1, 1 / 2p), the stable one's what makes the mean 0.5 when both are clicked equally often. Of each
    routing key the first three queries count.
    """
    opinions = [each for each in opinions if (each.answered.teams is not None) is interleaved]
    if interleaved:
        won = (_won(said, candidate) for said in _by_query(opinions, before))
        return [each for each in won if each is not None]
    found: list[float] = []
    rated: dict[bool, list[float]] = {False: [], True: []}
    for said in _by_query(opinions, before):
        answered = said[0].answered
        if answered.variant not in (STABLE, candidate):
            continue
        is_candidate = answered.variant == candidate
        ratings = [opinion.value for opinion in said if opinion.kind is FeedbackKind.RATING]
        if not ratings:
            ours, theirs = answered.candidate_percent * part, 100 - answered.candidate_percent
            found.append(_clicked(ours / (ours + theirs), is_candidate=is_candidate))
            continue
        rated[is_candidate].append(sum(ratings) / len(ratings))
        if rated[True] and rated[False]:
            ours, theirs = rated[True].pop(0), rated[False].pop(0)
            found.append(_better(ours, theirs))
    return found


def _won(said: Iterable[Opinion], candidate: str) -> float | None:
    """Of a mixed answer the team whose results were rated higher in the mean, where results of both were rated, else the one
    with more clicks; 0.5 when they are even, None when neither can be told."""
    clicks, ratings = {True: 0, False: 0}, {True: list[float](), False: list[float]()}
    clicked = False
    for opinion in said:
        clicked |= opinion.kind is FeedbackKind.CLICK
        if opinion.team and opinion.kind is FeedbackKind.RATING:
            ratings[opinion.team == candidate].append(opinion.value)
        elif opinion.team:
            clicks[opinion.team == candidate] += 1
    if ratings[True] and ratings[False]:
        return _better(fmean(ratings[True]), fmean(ratings[False]))
    return _better(clicks[True], clicks[False]) if clicked else None


def _better(ours: float, theirs: float) -> float:
    return 0.5 if ours == theirs else float(ours > theirs)


def _clicked(share: float, *, is_candidate: bool) -> float:
    if share <= 0.5:
        return 1.0 if is_candidate else (0.5 - share) / (1 - share)
    return 0.5 / share if is_candidate else 0.0


def _by_query(opinions: Iterable[Opinion], before: datetime) -> list[list[Opinion]]:
    """What was said about each query that counts, in the order in which the queries were first spoken of."""
    queries: dict[str, list[Opinion]] = {}
    counted: dict[int, int] = {}
    for opinion in sorted(opinions, key=lambda opinion: (opinion.at, opinion.answered.query)):
        answered = opinion.answered
        said = queries.get(answered.query)
        if said is not None:
            if opinion.at <= said[0].at + SAID_WITHIN:
                said.append(opinion)
        elif opinion.at + SAID_WITHIN < before and counted.get(answered.key, 0) < QUERIES_PER_KEY:
            counted[answered.key] = counted.get(answered.key, 0) + 1
            queries[answered.query] = [opinion]
    return list(queries.values())


def answered_at(answered: AnsweredQuery) -> datetime:
    """When it was answered."""
    return datetime.fromtimestamp(answered.at, UTC)
