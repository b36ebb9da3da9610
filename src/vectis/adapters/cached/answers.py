"""The answer cache: answers in this process, bounded in bytes, before a tier that processes share.

An answer is kept under the marks of the directory and of its collection, looked at before it is computed. It is served only
while both stand, so a write or a move of an alias is seen by the next question, in every process, without any message.
"""

import asyncio
from hashlib import blake2b
from heapq import nlargest
from math import log
from typing import NamedTuple

import msgspec

from vectis.adapters.cached.recent import Recent
from vectis.domain.errors import VectisError
from vectis.domain.measurements import Measurement
from vectis.domain.ports.answers import AnswerTier, Compute, KeptAnswer, Question, Served
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory, Resolved
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.ports.versions import Versions
from vectis.domain.routes import Routing

ENTRY_BYTES = 600
"""What an entry takes beside its question and its answer."""

BETA = 1.0
"""How eagerly an answer is refreshed before it expires; 1 is optimal for exponential gaps (Vattani et al., VLDB 2015)."""

GOLDEN = 0.6180339887498949
"""Steps of the golden ratio spread evenly over [0, 1), in any number of them: the draws of XFetch without dice."""

WARMED = 20
QUIET_PER_S = 5.0
"""A process that is asked less than this has time to warm up."""

_decode = msgspec.msgpack.Decoder(KeptAnswer).decode
_encode = msgspec.msgpack.Encoder().encode


class Grounds(NamedTuple):
    """What an answer was computed from: the marks, and what the name led to under them."""

    directory: int
    points: int
    collection: str
    variant: str


class _KeptEntry:
    __slots__ = ("answer", "compute", "expires", "full_name", "grounds", "hits", "name")

    def __init__(self, name: str, full_name: str, grounds: Grounds, compute: Compute) -> None:
        self.name = name
        self.full_name = full_name
        self.grounds = grounds
        self.compute = compute
        self.answer: KeptAnswer | None = None
        self.expires = 0.0
        self.hits = 0


class CachedAnswers:
    """vectis.domain.ports.answers.AnswerCache. `open` it to warm up in quiet times; `close` it before its tier."""

    def __init__(
        self,
        directory: Directory,
        versions: Versions,
        clock: Clock,
        log: MeasurementLog,
        tier: AnswerTier | None,
        *,
        bytes_max: int,
        ttl_s: float,
        look_every_s: float,
    ) -> None:
        self._directory = directory
        self._versions = versions
        self._clock = clock
        self._log = log
        self._tier = tier
        self._ttl_s = ttl_s
        self._look_every_s = look_every_s
        self._recent: Recent[Question, _KeptEntry] = Recent(bytes_max, ttl_s=ttl_s, monotonic=clock.monotonic)
        self._flights: dict[tuple[Question, Grounds], asyncio.Task[KeptAnswer]] = {}
        self._draw = 0.0
        self._asked = self._hits = self._tier_hits = self._stale = self._joined = self._refreshed = self._warmed = 0
        self._warmer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to look for quiet times."""
        self._warmer = asyncio.create_task(self._warm_when_quiet())

    async def close(self) -> None:
        """End what is under way for nobody."""
        tasks = [task for task in (self._warmer, *self._flights.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def name_in(self, asked: Question) -> str | None:
        """See the port."""
        entry = self._recent.get(asked)
        return None if entry is None else entry.name

    async def answer(self, asked: Question, name: str, full_name: str, routing: Routing, compute: Compute) -> Served:
        """See the port."""
        started = self._clock.monotonic()
        self._asked += 1
        to, grounds = await self._grounds(full_name, routing)
        if grounds is None or (to.route is not None and to.route.plan.interleaves(routing)):
            return Served((await compute(routing))[0], kept=False)
        if to.route is not None and to.variant != to.route.targets[0].variant:
            asked = asked._replace(variant=to.variant)
        entry = self._recent.peek(asked)
        if entry is not None and entry.answer is not None:
            if entry.grounds == grounds and entry.expires > started:
                self._hits += 1
                entry.hits += 1
                if self._is_due(entry, started):
                    self._refreshed += 1
                    self._begin(asked, _KeptEntry(name, full_name, grounds, compute), _anew(grounds), refresh=True)
                self._measure(full_name, routing, to, entry.answer, started)
                return Served(entry.answer, kept=True)
            self._stale += 1
        flight = self._flights.get((asked, grounds))
        if flight is None:
            flight = self._begin(asked, _KeptEntry(name, full_name, grounds, compute), routing)
            return Served(await asyncio.shield(flight), kept=False)
        self._joined += 1
        answer = await asyncio.shield(flight)
        self._measure(full_name, routing, to, answer, started)
        return Served(answer, kept=True)

    async def warm(self, count: int) -> int:
        """See the port."""
        entries = nlargest(count, self._recent.items(), key=lambda item: item[1].hits)
        warmed = 0
        for asked, entry in entries:
            try:
                _, grounds = await self._grounds(entry.full_name, _anew(entry.grounds))
                if grounds is None or (entry.answer is not None and entry.grounds == grounds):
                    continue
                warm = _KeptEntry(entry.name, entry.full_name, grounds, entry.compute)
                await asyncio.shield(self._begin(asked, warm, _anew(grounds)))
            except VectisError:
                continue  # whoever asks next is told why
            warmed += 1
        self._warmed += warmed
        return warmed

    async def clear(self) -> None:
        """See the port. Another mark of the directory does both at once."""
        self._recent.clear()
        self._versions.directory_changed()

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        stats = self._recent.stats()
        return {
            "asked_total": self._asked,
            "hits_total": self._hits,
            "tier_hits_total": self._tier_hits,
            "joined_total": self._joined,
            "misses_total": self._asked - self._hits - self._joined,
            "hit_ratio": (self._hits + self._joined) / max(1, self._asked),
            "stale_total": self._stale,
            "refreshed_total": self._refreshed,
            "warmed_total": self._warmed,
            "evictions_total": stats.evictions,
            "entries": stats.entries,
            "bytes": stats.bytes,
        }

    async def _grounds(self, full_name: str, routing: Routing) -> tuple[Resolved, Grounds | None]:
        """What the name leads to, and the marks before anything is read; None where nobody counts writes."""
        directory = self._versions.directory()
        to: Resolved = await self._directory.resolve(full_name, routing)
        points = self._versions.collection(to.collection.name)
        return to, None if points is None else Grounds(directory, points, to.collection.name, to.variant)

    def _begin(
        self, asked: Question, entry: _KeptEntry, routing: Routing, *, refresh: bool = False
    ) -> "asyncio.Task[KeptAnswer]":
        grounds = entry.grounds
        flight = self._flights.get((asked, grounds))
        if flight is None:
            flight = asyncio.get_running_loop().create_task(self._obtain(asked, entry, routing, refresh=refresh))
            self._flights[asked, grounds] = flight
            flight.add_done_callback(lambda done: self._landed(asked, grounds, done))
        return flight

    def _landed(self, asked: Question, grounds: Grounds, flight: "asyncio.Task[KeptAnswer]") -> None:
        del self._flights[asked, grounds]
        if not flight.cancelled():
            flight.exception()  # who waited for it was told

    async def _obtain(self, asked: Question, entry: _KeptEntry, routing: Routing, *, refresh: bool) -> KeptAnswer:
        if self._tier is not None and not refresh:
            content = await self._tier.get(_tier_key(asked, entry.grounds))
            found = None if content is None else _unpacked(content)
            left_s = 0.0 if found is None else found.made_at + self._ttl_s - self._clock.now().timestamp()
            if found is not None and left_s > 0:
                self._tier_hits += 1
                self._keep(asked, entry, found, min(left_s, self._ttl_s))
                return found
        answer, may_be_kept = await entry.compute(routing)
        if may_be_kept:
            self._keep(asked, entry, answer, self._ttl_s)
            if self._tier is not None:
                self._tier.put(_tier_key(asked, entry.grounds), _encode(answer))
        return answer

    def _keep(self, asked: Question, entry: _KeptEntry, answer: KeptAnswer, for_s: float) -> None:
        former = self._recent.peek(asked)
        entry.hits = 0 if former is None else former.hits
        entry.answer, entry.expires = answer, self._clock.monotonic() + for_s
        self._recent.put(asked, entry, len(asked.content) + len(asked.query_string) + len(answer.body) + ENTRY_BYTES)

    def _is_due(self, entry: _KeptEntry, now: float) -> bool:
        """Whether to refresh already: XFetch, so that processes do not all compute when an answer expires."""
        assert entry.answer is not None
        self._draw = (self._draw + GOLDEN) % 1.0
        return now - entry.answer.took_s * BETA * log(self._draw or GOLDEN) >= entry.expires

    def _measure(self, full_name: str, routing: Routing, to: Resolved, answer: KeptAnswer, started: float) -> None:
        self._log.append(
            Measurement(
                name=full_name,
                collection=to.collection.name,
                variant=to.variant,
                mode=answer.mode,
                outcome="ok",
                results=answer.results,
                took_ms=(self._clock.monotonic() - started) * 1000,
                route=to.route,
                routing=routing,
                kept=True,
            )
        )

    async def _warm_when_quiet(self) -> None:
        while True:
            asked = self._asked
            await asyncio.sleep(self._look_every_s)  # a clock, nothing to wait for
            if self._asked - asked < QUIET_PER_S * self._look_every_s:
                await self.warm(WARMED)


def _anew(grounds: Grounds) -> Routing:
    """How the cache itself asks again: for the variant that answered, whatever the key of who asked first."""
    return Routing(variant=grounds.variant)


def _tier_key(asked: Question, grounds: Grounds) -> str:
    """Marks are numbers never seen before, so a key means the same to all who ever share the tier."""
    marks = (str(grounds.points), str(grounds.directory), grounds.collection, grounds.variant)
    return blake2b(_encode((asked, marks)), digest_size=20).hexdigest()


def _unpacked(content: bytes) -> KeptAnswer | None:
    try:
        return _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
