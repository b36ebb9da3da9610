"""The embedding cache: a memory of this process in front of the control store, which is written behind the answers.

Vectors of a text never change under one profile, so nothing here can be stale; bounds and age only limit the room it takes.
"""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from vectis.adapters.cached.recent import Recent
from vectis.domain.errors import DiskFull, StoreUnavailable
from vectis.domain.points import Dense
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.embeddings import EmbeddingStore, EmbeddingUsage, StoredEmbedding
from vectis.domain.profiles import EmbeddingProfile

WAITING_MAX = 20_000
"""Vectors that may wait to be written; beyond that, while the store does not take any, they are dropped and counted."""

WRITE_AT = 2048
"""So many vectors that wait are written at once and not after the delay."""

TOUCH_AFTER_S = 3600.0
"""A use is noted only when the last one noted is older, so that reading does not become writing."""

TRIM_EVERY = 1000
REST_S = 5.0
"""How long the store is left alone after a fault, so that no query waits for it in vain."""

Key = tuple[str, bytes]


class EmbeddingBounds(msgspec.Struct, frozen=True):
    """How much is kept: `entries_max` and `ttl_s` in the process, `bytes_max` in the store.

    `write_after_s` is how long vectors wait to be written together, `lookup_s` how long a look into the store may take.
    """

    entries_max: int = 10_000
    ttl_s: float = 7200.0
    bytes_max: int = 268_435_456
    precision: Literal["float32", "float16"] = "float32"
    write_after_s: float = 5.0
    lookup_s: float = 5.0


class _Known(NamedTuple):
    vector: Dense
    cost_us: int


class CachedEmbeddings:
    """vectis.domain.ports.embeddings.EmbeddingCache. `open` it before use; `close` writes what waits."""

    def __init__(
        self,
        store: EmbeddingStore,
        clock: Clock,
        bounds: EmbeddingBounds,
        price_of: Callable[[EmbeddingProfile, str], float] = lambda profile, text: 0.0,
    ) -> None:
        """`price_of` is what computing the vector of a text under a profile costs in money."""
        self._store = store
        self._clock = clock
        self._bounds = bounds
        self._price_of = price_of
        self._recent: Recent[Key, _Known] = Recent(
            1 << 40, entries_max=bounds.entries_max, ttl_s=bounds.ttl_s, monotonic=clock.monotonic
        )
        self._profiles: dict[EmbeddingProfile, str] = {}
        self._waiting: dict[Key, StoredEmbedding] = {}
        self._used: dict[Key, None] = {}
        self._usage = EmbeddingUsage(0, 0)
        self._untrimmed = 0
        self._rest_until = 0.0
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._stored_hits = self._stored_misses = self._dropped = self._evictions = self._faults = 0
        self._saved_us = 0
        self._saved_money = 0.0

    async def open(self) -> None:
        """Begin to write behind."""
        await self._guarded(self._measure)
        self._writer = asyncio.create_task(self._write_behind())

    async def close(self) -> None:
        """Write what waits, as far as the store takes it."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        await self._write()

    async def known(self, profile: EmbeddingProfile, texts: Sequence[str]) -> dict[str, Dense]:
        """See the port."""
        digest = self._digest(profile)
        found: dict[str, Dense] = {}
        missing: dict[bytes, str] = {}
        for text in texts:
            text_hash = _hash(text)
            recent = self._recent.get((digest, text_hash))
            if recent is not None:
                found[text] = recent.vector
                self._saved(profile, text, recent.cost_us)
            else:
                missing[text_hash] = text
        for kept in await self._look_up(digest, list(missing)) if missing else ():
            vector = _vector(kept.vector, profile.dimension)
            if vector is not None:
                text = missing[kept.text_hash]
                found[text] = vector
                self._note_use(kept, vector)
                self._saved(profile, text, kept.cost_us)
        self._stored_misses += len(texts) - len(found)
        return found

    async def held(self, profile: EmbeddingProfile, texts: Sequence[str]) -> set[str]:
        """See the port. Nobody waits for it in a query, so it may take its time."""
        digest, hashes = self._digest(profile), {_hash(text): text for text in texts}
        waiting = {text_hash for text_hash in hashes if (digest, text_hash) in self._waiting}
        stored: list[StoredEmbedding] = []
        with suppress(StoreUnavailable):
            stored = await self._store.embeddings(digest, list(hashes.keys() - waiting))
        return {hashes[text_hash] for text_hash in waiting | {kept.text_hash for kept in stored}}

    def remember(self, profile: EmbeddingProfile, vectors: Mapping[str, Dense], took_s: float) -> None:
        """See the port."""
        digest, now = self._digest(profile), self._clock.now()
        cost_us = int(took_s * 1e6 / max(1, len(vectors)))
        for text, vector in vectors.items():
            key = (digest, _hash(text))
            self._recent.put(key, _Known(vector, cost_us), 4 * len(vector))
            if len(self._waiting) >= WAITING_MAX:
                self._dropped += 1
                continue
            self._waiting[key] = StoredEmbedding(digest, key[1], self._packed(vector), cost_us, now)
        if len(self._waiting) >= WRITE_AT:
            self._wake.set()

    async def clear(self) -> int:
        """See the port."""
        self._recent.clear()
        self._waiting.clear()
        self._used.clear()
        count = await self._store.clear_embeddings()
        await self._measure()
        return count

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process. `stored_*` count what it had of the store and removed from it."""
        stats = self._recent.stats()
        hits = stats.hits + self._stored_hits
        return {
            "hits_total": stats.hits,
            "stored_hits_total": self._stored_hits,
            "misses_total": self._stored_misses,
            "hit_ratio": hits / max(1, hits + self._stored_misses),
            "evictions_total": stats.evictions,
            "stored_evictions_total": self._evictions,
            "entries": stats.entries,
            "bytes": stats.bytes,
            "saved_seconds_total": self._saved_us / 1e6,
            "saved_money_total": self._saved_money,
            "waiting": len(self._waiting),
            "dropped_total": self._dropped,
            "faults_total": self._faults,
        }

    async def _look_up(self, digest: str, text_hashes: list[bytes]) -> Iterable[StoredEmbedding]:
        """What waits to be written, and what the store keeps; nothing of it while the store is left alone."""
        waiting = [kept for h in text_hashes if (kept := self._waiting.get((digest, h))) is not None]
        rest = set(text_hashes) - {kept.text_hash for kept in waiting}
        if not rest or self._clock.monotonic() < self._rest_until:
            return waiting
        stored: list[StoredEmbedding] = []

        async def ask() -> None:
            stored.extend(await self._store.embeddings(digest, list(rest)))

        await self._guarded(ask, self._bounds.lookup_s)
        return [*waiting, *stored]

    def _note_use(self, kept: StoredEmbedding, vector: Dense) -> None:
        key = (kept.profile, kept.text_hash)
        self._recent.put(key, _Known(vector, kept.cost_us), 4 * len(vector))
        self._stored_hits += 1
        if (self._clock.now() - kept.used_at).total_seconds() > TOUCH_AFTER_S:
            self._used[key] = None

    def _saved(self, profile: EmbeddingProfile, text: str, cost_us: int) -> None:
        self._saved_us += cost_us
        self._saved_money += self._price_of(profile, text)

    async def _write_behind(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._bounds.write_after_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._write()

    async def _write(self) -> None:
        """Write what waits and note what was used; what the store does not take waits on, within its bound."""
        if not self._waiting and not self._used:
            return
        await self._guarded(self._write_all)

    async def _write_all(self) -> None:
        batch, used = dict(self._waiting), dict(self._used)
        await self._store.put_embeddings(list(batch.values()))
        for key in batch:
            self._waiting.pop(key, None)
        by_profile: dict[str, list[bytes]] = {}
        for profile, text_hash in used:
            by_profile.setdefault(profile, []).append(text_hash)
        for profile, text_hashes in by_profile.items():
            await self._store.touch_embeddings(profile, text_hashes, self._clock.now())
        for key in used:
            self._used.pop(key, None)
        self._untrimmed += len(batch)
        if self._untrimmed >= TRIM_EVERY or self._usage.bytes > self._bounds.bytes_max:
            self._evictions += await self._store.trim_embeddings(self._bounds.bytes_max)
            self._untrimmed = 0
        await self._measure()

    async def _measure(self) -> None:
        self._usage = await self._store.embedding_usage()

    async def _guarded(self, work: Callable[[], Awaitable[None]], timeout_s: float | None = None) -> None:
        """A store that is away or slow costs a miss and a count, and is left alone for a while."""
        try:
            async with asyncio.timeout(timeout_s):
                await work()
        except (StoreUnavailable, DiskFull, TimeoutError):
            self._faults += 1
            self._rest_until = self._clock.monotonic() + REST_S

    def _digest(self, profile: EmbeddingProfile) -> str:
        digest = self._profiles.get(profile)
        if digest is None:
            digest = self._profiles[profile] = blake2b(msgspec.json.encode(profile), digest_size=8).hexdigest()
        return digest

    def _packed(self, vector: Dense) -> bytes:
        half = self._bounds.precision == "float16"
        return np.frombuffer(vector, "<f4").astype("<f2").tobytes() if half else vector.tobytes()


def _hash(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _vector(content: bytes, dimension: int) -> Dense | None:
    """The vector, in whichever precision it was kept; None when it is of another length."""
    if len(content) == 4 * dimension:
        return array("f", content)
    if len(content) == 2 * dimension:
        return array("f", np.frombuffer(content, "<f2").astype("<f4").tobytes())
    return None
