"""A bounded memory of this process: what was used longest ago is forgotten first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentStats(msgspec.Struct, frozen=True):
    """What it has done since it was made, and what it holds now; `bytes` is the sum of the sizes that were given."""

    hits: int
    misses: int
    evictions: int
    bytes: int
    entries: int


class Recent(Generic[K, V]):
    """At most `bytes_max` bytes, and `entries_max` entries where that is given; the least recently used go first.

    An entry older than `ttl_s` by `monotonic` is a miss.
    """

    def __init__(
        self, bytes_max: int, *, entries_max: int | None = None, ttl_s: float, monotonic: Callable[[], float]
    ) -> None:
        if bytes_max < 0:
            raise ValueError("bytes_max is 0 or more")
        self._bytes_max = bytes_max
        self._entries_max = bytes_max if entries_max is None else entries_max
        self._ttl_s = ttl_s
        self._monotonic = monotonic
        self._entries: OrderedDict[K, tuple[V, int, float]] = OrderedDict()
        self._bytes = 0
        self._hits = self._misses = self._evictions = 0

    def get(self, key: K) -> V | None:
        """None on a miss."""
        entry = self._entries.get(key)
        if entry is None:
            self._misses += 1
            return None
        if entry[2] < self._monotonic():
            self.remove(key)
            self._misses += 1
            return None
        self._hits += 1
        self._entries.move_to_end(key)
        return entry[0]

    def peek(self, key: K) -> V | None:
        """What `get` would give, neither counted nor noted as a use."""
        entry = self._entries.get(key)
        return None if entry is None or entry[2] < self._monotonic() else entry[0]

    def items(self) -> list[tuple[K, V]]:
        """All that is held, the least recently used first."""
        return [(key, entry[0]) for key, entry in self._entries.items()]

    def put(self, key: K, value: V, size: int) -> None:
        """Keep it; a value larger than the whole memory is not kept, and an older one of the same key is gone."""
        self.remove(key)
        if size > self._bytes_max or not self._entries_max:
            return
        self._entries[key] = (value, size, self._monotonic() + self._ttl_s)
        self._bytes += size
        while self._bytes > self._bytes_max or len(self._entries) > self._entries_max:
            self.remove(next(iter(self._entries)))
            self._evictions += 1

    def remove(self, key: K) -> None:
        """Forget one; absent is no error."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]

    def clear(self) -> int:
        """Forget all; gives how many there were."""
        count = len(self._entries)
        self._entries.clear()
        self._bytes = 0
        return count

    def stats(self) -> RecentStats:
        """Counters and sizes now."""
        return RecentStats(self._hits, self._misses, self._evictions, self._bytes, len(self._entries))
