"""Queries asked of two variants of an alias, behind the answers: nobody gets to see these, and they give way to everything."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b

import msgspec

from vectis.domain.errors import VectisError
from vectis.domain.evidence import ShadowPair
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory, Resolved
from vectis.domain.ports.measurements import PairLog
from vectis.domain.routes import Mirror, Route
from vectis.search.requests import Answer, Asked, SimilarSearch, TextSearch, VectorSearch, exactly
from vectis.search.spare_time import EvenSample, SpareTime

DIFFERENT_OVERLAP = 0.5
SHOWN_MAX = 20
"""Pairs of one version of a route whose query is kept in words: those that have less than half of their results in common."""

Ask = Callable[[Asked, Resolved], Awaitable[Answer]]
"""Asks a query of a collection."""


class ShadowRules(msgspec.Struct, frozen=True):
    """`timeout_s` is for each answer. `keep_words`: a few queries are kept in words."""

    timeout_s: float
    keep_words: bool


class Shadows:
    """Asks sampled queries in spare time."""

    def __init__(
        self, *, directory: Directory, log: PairLog, clock: Clock, spare: SpareTime, rules: ShadowRules
    ) -> None:
        self._directory = directory
        self._log = log
        self._clock = clock
        self._spare = spare
        self._rules = rules
        self._sample = EvenSample()
        self._turns = 0
        self._shown: dict[tuple[str, int], int] = {}
        self._asked = self._dropped = self._failed = 0

    def offer(self, route: Route, mirror: Mirror, query: Asked, ask: Ask[Asked]) -> None:
        """Perhaps ask of two variants what was just answered, or was not because a variant failed."""
        taken = self._sample.takes(mirror.percent)
        if taken and not self._spare.begin(lambda: self._compare(route, mirror, query, ask)):
            self._dropped += 1

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        return {"asked_total": self._asked, "dropped_total": self._dropped, "failed_total": self._failed}

    async def _compare(self, route: Route, mirror: Mirror, query: Asked, ask: Ask[Asked]) -> None:
        try:
            pair = await self._pair(route, mirror, query, ask)
        except (VectisError, TimeoutError):
            self._failed += 1  # the stable one did not answer, so there is nothing to compare with
        else:
            self._asked += 1
            self._log.append_pair(route, pair)

    async def _pair(self, route: Route, mirror: Mirror, query: Asked, ask: Ask[Asked]) -> ShadowPair:
        """One after the other, and not always the same one first: the second finds what both need in memory."""
        rounds, turn = divmod(self._turns, len(mirror.collections))
        self._turns += 1
        variant = list(mirror.collections)[turn]
        served, mirrored = route.targets[0].collection, mirror.collections[variant]
        of_stable, of_candidate = (mirrored, served) if mirror.as_stable else (served, mirrored)
        if rounds % 2 == 0:
            candidate = await self._candidate(of_candidate, query, ask)
            stable = await self._timed(of_stable, query, ask)
        else:
            stable = await self._timed(of_stable, query, ask)
            candidate = await self._candidate(of_candidate, query, ask)
        exact = (await self._timed(of_stable, exactly(query), ask))[0] if mirror.exact else None
        words = self._words(route, _text(query), stable[0], candidate[0])
        return ShadowPair(words, stable[0], candidate[0], stable[1], candidate[1], exact, variant)

    async def _candidate(self, collection: str, query: Asked, ask: Ask[Asked]) -> tuple[tuple[str, ...], float]:
        """A candidate that fails has found nothing."""
        started = self._clock.monotonic()
        try:
            return await self._timed(collection, query, ask)
        except (VectisError, TimeoutError):
            self._failed += 1
            return (), (self._clock.monotonic() - started) * 1000

    async def _timed(self, collection: str, query: Asked, ask: Ask[Asked]) -> tuple[tuple[str, ...], float]:
        """The ids, best first, and the milliseconds. Raises what asking raises, and TimeoutError."""
        to = await self._directory.resolve(collection)
        started = self._clock.monotonic()
        async with asyncio.timeout(self._rules.timeout_s):
            answer = await ask(query, to)
        return tuple(str(hit.id) for hit in answer.hits), (self._clock.monotonic() - started) * 1000

    def _words(self, route: Route, query: str, stable: tuple[str, ...], candidate: tuple[str, ...]) -> str:
        """The query itself for a few pairs that differ much, if that is allowed; a hash of it for all others."""
        place = (route.alias, route.version)
        common = len(set(stable) & set(candidate)) / max(1, len(stable), len(candidate))
        shown = self._shown.get(place, 0)
        if self._rules.keep_words and common < DIFFERENT_OVERLAP and shown < SHOWN_MAX:
            self._shown[place] = shown + 1
            return query
        return blake2b(query.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _text(query: TextSearch | SimilarSearch | VectorSearch) -> str:
    match query:
        case TextSearch():
            return query.query
        case SimilarSearch():
            return repr((query.positive, query.negative))
        case VectorSearch():
            return repr(query.vector)
