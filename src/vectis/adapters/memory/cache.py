"""A cache in this process, bounded in bytes, that forgets what was used longest ago."""

from collections import OrderedDict

import msgspec


class CacheStats(msgspec.Struct, frozen=True):
    """What the cache has done since it was made, and what it holds now; `bytes` counts keys and values."""

    hits: int
    misses: int
    evictions: int
    bytes: int
    entries: int


class MemoryCache:
    """Keeps at most `bytes_max` bytes of keys and values; the least recently used go first."""

    def __init__(self, bytes_max: int) -> None:
        if bytes_max < 0:
            raise ValueError("bytes_max is 0 or more")
        self._bytes_max = bytes_max
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._hits = self._misses = self._evictions = 0

    async def get(self, key: str) -> bytes | None:
        """None on a miss."""
        value = self._entries.get(key)
        if value is None:
            self._misses += 1
            return None
        self._hits += 1
        self._entries.move_to_end(key)
        return value

    async def put(self, key: str, value: bytes) -> None:
        """Keep it; a value larger than the whole cache is not kept, and an older one of the same key is gone."""
        self._remove(key)
        if _size(key, value) > self._bytes_max:
            return
        self._entries[key] = value
        self._bytes += _size(key, value)
        while self._bytes > self._bytes_max:
            self._remove(next(iter(self._entries)))
            self._evictions += 1

    def stats(self) -> CacheStats:
        """Counters and sizes now."""
        return CacheStats(self._hits, self._misses, self._evictions, self._bytes, len(self._entries))

    def _remove(self, key: str) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self._bytes -= _size(key, value)


def _size(key: str, value: bytes) -> int:
    return len(key.encode()) + len(value)
