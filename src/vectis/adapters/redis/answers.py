"""Answers that the processes of a server share, as sealed values with a time to live. Writes go behind, together."""

import asyncio

from vectis.adapters.redis.link import RedisLink
from vectis.adapters.redis.sealed import VALUE_MAX, seal, unseal
from vectis.domain.ports.clock import Clock

WAITING_MAX = 16_777_216
"""Bytes that may wait to be written; what comes on top is dropped and counted."""

WRITE_AT = 64
"""So many answers that wait are written at once and not after the delay, and so many go together."""

WRITE_S = 1.0
"""How long writing some may take: nobody waits for it."""


class RedisAnswers:
    """vectis.domain.ports.answers.AnswerTier. `open` it before use; `close` writes what waits.

    `namespace` stands before all keys: processes that could answer differently have different ones.
    """

    def __init__(self, link: RedisLink, clock: Clock, *, namespace: str, ttl_s: float, write_after_s: float) -> None:
        self._link = link
        self._clock = clock
        self._namespace = namespace
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._write_after_s = write_after_s
        self._waiting: dict[str, bytes] = {}
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._lookups = self._hits = self._garbage = self._written = self._dropped = 0
        self._plain_bytes = self._sealed_bytes = 0
        self._lookup_s = 0.0

    async def open(self) -> None:
        """Begin to write behind."""
        self._writer = asyncio.create_task(self._write_behind())

    async def close(self) -> None:
        """Write what waits, as far as the server takes it."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        await self._write()

    async def get(self, key: str) -> bytes | None:
        """See the port."""
        full, started = self._key(key), self._clock.monotonic()
        sealed = await self._link.ask(lambda: self._link.client.get(full))
        self._lookups += 1
        self._lookup_s += self._clock.monotonic() - started
        if sealed is None:
            return None
        value = unseal(full, sealed) if isinstance(sealed, bytes) else None
        if value is None:
            self._garbage += 1
            return None
        self._hits += 1
        return value

    def put(self, key: str, value: bytes) -> None:
        """See the port."""
        if len(value) > VALUE_MAX or self._waiting_bytes + len(value) > WAITING_MAX:
            self._dropped += 1
            return
        self._waiting[key] = value
        self._waiting_bytes += len(value)
        if len(self._waiting) >= WRITE_AT:
            self._wake.set()

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process. `lookup_seconds_total` by `lookups_total` is the mean wait for the tier."""
        return {
            "lookups_total": self._lookups,
            "lookup_seconds_total": self._lookup_s,
            "hits_total": self._hits,
            "misses_total": self._lookups - self._hits,
            "hit_ratio": self._hits / max(1, self._lookups),
            "garbage_total": self._garbage,
            "written_total": self._written,
            "dropped_total": self._dropped,
            "plain_bytes_total": self._plain_bytes,
            "sealed_bytes_total": self._sealed_bytes,
            "compression_ratio": self._plain_bytes / max(1, self._sealed_bytes),
        }

    def _key(self, key: str) -> str:
        return f"{self._namespace}:{key}"

    async def _write_behind(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._write_after_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._write()

    async def _write(self) -> None:
        """What the server does not take is dropped: by the time it is back it may be of no use."""
        waiting, self._waiting, self._waiting_bytes = list(self._waiting.items()), {}, 0
        for start in range(0, len(waiting), WRITE_AT):
            await self._write_some(waiting[start : start + WRITE_AT])

    async def _write_some(self, some: list[tuple[str, bytes]]) -> None:
        sealed = await asyncio.to_thread(lambda: {(k := self._key(key)): seal(k, value) for key, value in some})
        pipeline = self._link.client.pipeline(transaction=False)
        for key, value in sealed.items():
            pipeline.set(key, value, px=self._ttl_ms)
        if await self._link.ask(pipeline.execute, within_s=WRITE_S) is None:
            self._dropped += len(some)
            return
        self._written += len(some)
        self._plain_bytes += sum(len(value) for _, value in some)
        self._sealed_bytes += sum(map(len, sealed.values()))
