"""Queries asked of both variants of an alias, behind the answers: nobody gets to see these, and they give way to everything."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from vectis.domain.errors import VectisError
from vectis.domain.evidence import ShadowPair
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory, Resolved
from vectis.domain.ports.measurements import PairLog
from vectis.domain.queries import SearchParams
from vectis.domain.routes import Mirror, Route
from vectis.search.requests import Answer, TextSearch, VectorSearch

GOLDEN = 0.6180339887498949
"""Steps of the golden ratio spread evenly over [0, 1), in any number of them: samples without dice."""

DIFFERENT_OVERLAP = 0.5
SHOWN_MAX = 20
"""Pairs of one version of a route whose query is kept in words: those that have less than half of their results in common."""

Asked = TypeVar("Asked", TextSearch, VectorSearch)
Ask = Callable[[Asked, Resolved], Awaitable[Answer]]
"""Asks a query of a collection."""


class ShadowRules(msgspec.Struct, frozen=True):
    """How much shadows may take: `share_percent` of the time, none while more than `at_work_max` requests are at work.

    `timeout_s` is for each answer. `keep_words`: a few queries are kept in words.
    """

    share_percent: float
    at_work_max: int
    timeout_s: float
    keep_words: bool


class Shadows:
    """Asks one sampled query at a time. `close` it to end what is under way."""

    def __init__(
        self, *, directory: Directory, log: PairLog, clock: Clock, at_work: Callable[[], int], rules: ShadowRules
    ) -> None:
        self._directory = directory
        self._log = log
        self._clock = clock
        self._at_work = at_work
        self._rules = rules
        self._task: asyncio.Task[None] | None = None
        self._rest_until = 0.0
        self._draw = 0.0
        self._candidate_first = False
        self._shown: dict[tuple[str, int], int] = {}
        self._asked = self._dropped = self._failed = 0

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def offer(self, route: Route, mirror: Mirror, query: Asked, ask: Ask[Asked]) -> None:
        """Perhaps ask what was just answered of both variants."""
        self._draw = (self._draw + GOLDEN) % 1.0
        if self._draw * 100 >= mirror.percent:
            return
        busy = self._task is not None and not self._task.done()
        if busy or self._clock.monotonic() < self._rest_until or self._at_work() > self._rules.at_work_max:
            self._dropped += 1
            return
        self._task = asyncio.get_running_loop().create_task(self._compare(route, mirror, query, ask))

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        return {"asked_total": self._asked, "dropped_total": self._dropped, "failed_total": self._failed}

    async def _compare(self, route: Route, mirror: Mirror, query: Asked, ask: Ask[Asked]) -> None:
        started = self._clock.monotonic()
        try:
            pair = await self._pair(route, mirror, query, ask)
        except (VectisError, TimeoutError):
            self._failed += 1  # the stable one did not answer, so there is nothing to compare with
        else:
            self._asked += 1
            self._log.append_pair(route, pair)
        now = self._clock.monotonic()
        self._rest_until = now + (now - started) * (100 / self._rules.share_percent - 1)

    async def _pair(self, route: Route, mirror: Mirror, query: Asked, ask: Ask[Asked]) -> ShadowPair:
        """One after the other, and not always the same one first: the second finds what both need in memory."""
        self._candidate_first = not self._candidate_first
        if self._candidate_first:
            candidate = await self._candidate(mirror, query, ask)
            stable = await self._timed(route.targets[0].collection, query, ask)
        else:
            stable = await self._timed(route.targets[0].collection, query, ask)
            candidate = await self._candidate(mirror, query, ask)
        exact = (await self._timed(route.targets[0].collection, _exact(query), ask))[0] if mirror.exact else None
        words = self._words(route, _text(query), stable[0], candidate[0])
        return ShadowPair(words, stable[0], candidate[0], stable[1], candidate[1], exact)

    async def _candidate(self, mirror: Mirror, query: Asked, ask: Ask[Asked]) -> tuple[tuple[str, ...], float]:
        """A candidate that fails has found nothing."""
        started = self._clock.monotonic()
        try:
            return await self._timed(mirror.collection, query, ask)
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


def _exact(query: Asked) -> Asked:
    """The same by exact search, without any index of dense vectors."""
    if isinstance(query, TextSearch):
        return replace(query, exact=True)
    return replace(query, params=SearchParams(exact=True))


def _text(query: TextSearch | VectorSearch) -> str:
    return query.query if isinstance(query, TextSearch) else repr(query.vector)
