"""What users make known about answers while an alias is shared out, and what it says about its variants. Pure."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from vectis.domain.errors import InvalidInput

QUERIES_PER_KEY = 3
"""Answered queries of one routing key that count under one version of a route: who says more does not weigh more."""

SAID_WITHIN = timedelta(minutes=1)
"""After the first word about a query, what else is said about it counts for so long."""

_MARK_BYTES = 16


class FeedbackKind(StrEnum):
    """A result was opened; a result was rated, from 0 (useless) to 1 (just right)."""

    CLICK = "click"
    RATING = "rating"


class AnsweredQuery(msgspec.Struct, frozen=True, array_like=True):
    """Who answered a query, for later: which variant of which alias, under which version of its route.

    `candidate_percent` is the share that the route gave to the candidate, `key` a keyed hash of the routing key, `query` the
    query's own random id, `at` Unix seconds.
    """

    alias: str
    route_version: int
    variant: str
    candidate_percent: float
    key: int
    query: str
    at: int


class Opinion(msgspec.Struct, frozen=True):
    """One thing that was said: `result` is a hash of the result's id, `value` the rating, 1 for a click."""

    answered: AnsweredQuery
    kind: FeedbackKind
    result: str
    value: float
    at: datetime


class QueryIds:
    """Ids of answered queries that say who answered, and that nobody else can make. Every process with the key reads them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def give(self, answered: AnsweredQuery) -> str:
        """The id, of letters, digits, `-` and `_`."""
        content = msgspec.msgpack.encode(answered)
        return urlsafe_b64encode(self._mark(content) + content).decode().rstrip("=")

    def read(self, text: str) -> AnsweredQuery:
        """Who answered. InvalidInput for what is no id of this server's."""
        try:
            whole = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            mark, content = whole[:_MARK_BYTES], whole[_MARK_BYTES:]
            if hmac.compare_digest(mark, self._mark(content)):
                return msgspec.msgpack.decode(content, type=AnsweredQuery)
        except ValueError:
            pass
        raise InvalidInput(
            "query_id: give back what X-Vectis-Query-Id of the answer said, as it was", field="query_id"
        ) from None

    def hashed(self, text: str) -> int:
        """A number of 63 bits that stands for a text, and that nobody without the key can tell the text from."""
        return int.from_bytes(hmac.digest(self._key, b"text " + text.encode(errors="surrogatepass"), "sha256")[:8]) >> 1

    def _mark(self, content: bytes) -> bytes:
        return hmac.digest(self._key, b"query " + content, "sha256")[:_MARK_BYTES]


def preferences(opinions: Iterable[Opinion], *, candidate: str, before: datetime) -> list[float]:
    """What opinions say for the candidate: 1 in favour of it, 0 in favour of the stable variant; a harmless one gets 0.5 in the
    mean, whatever its share of the traffic.

    A query counts by what was said about it within a minute, and when that is over: so what was told once stays as it was, and
    more only comes behind it. With ratings it counts by their mean, and each rated query of a variant is held against the next
    one of the other. With clicks alone it counts for the variant that answered, weighed by the share p of the candidate: its
    click is min(1, 1 / 2p), the stable one's what makes the mean 0.5 when both are clicked equally often. Of each routing key
    the first three queries count.
    """
    found: list[float] = []
    rated: dict[bool, list[float]] = {False: [], True: []}
    for said in _by_query(opinions, before):
        answered = said[0].answered
        is_candidate = answered.variant == candidate
        ratings = [opinion.value for opinion in said if opinion.kind is FeedbackKind.RATING]
        if not ratings:
            found.append(_clicked(answered.candidate_percent / 100, is_candidate=is_candidate))
            continue
        rated[is_candidate].append(sum(ratings) / len(ratings))
        if rated[True] and rated[False]:
            ours, theirs = rated[True].pop(0), rated[False].pop(0)
            found.append(0.5 if ours == theirs else float(ours > theirs))
    return found


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
