"""The bounded memory: what it keeps, what it forgets, what it counts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.adapters.cached.recent import Recent, RecentStats
from vectis.adapters.memory.clock import ManualClock


def recent(bytes_max: int, **bounds: Any) -> Recent[str, bytes]:
    return Recent(bytes_max, **{"ttl_s": 60.0, "monotonic": ManualClock().monotonic, **bounds})


def test_get_what_was_put() -> None:
    cache = recent(100)
    assert cache.get("a") is None
    cache.put("a", b"one", 4)
    cache.put("empty", b"", 5)
    assert cache.get("a") == b"one"
    assert cache.get("empty") == b""
    assert cache.stats() == RecentStats(hits=2, misses=1, evictions=0, bytes=9, entries=2)


def test_the_least_recently_used_goes_first() -> None:
    cache = recent(30)
    for key in "abc":
        cache.put(key, b"", 10)
    assert cache.get("a") is not None
    cache.put("d", b"", 10)
    assert [cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    assert (cache.stats().evictions, cache.stats().bytes) == (1, 30)


def test_entries_are_bounded_too() -> None:
    cache = recent(1000, entries_max=2)
    for key in "abc":
        cache.put(key, b"", 1)
    assert [cache.get(key) is not None for key in "abc"] == [False, True, True]
    nothing = recent(1000, entries_max=0)
    nothing.put("a", b"", 1)
    assert nothing.get("a") is None


def test_putting_again_replaces_and_refreshes() -> None:
    cache = recent(30)
    for key in "abc":
        cache.put(key, b"old", 10)
    cache.put("a", b"12", 3)
    assert cache.stats().bytes == 23
    cache.put("d", b"", 10)
    assert [cache.get(key) for key in "ab"] == [b"12", None]


def test_a_value_too_large_is_not_kept_and_evicts_nothing_else() -> None:
    cache = recent(20)
    cache.put("a", b"old", 4)
    cache.put("b", b"kept", 5)
    cache.put("a", b"large", 21)
    assert cache.get("a") is None
    assert cache.get("b") == b"kept"
    assert cache.stats().evictions == 0
    with pytest.raises(ValueError, match="0 or more"):
        recent(-1)


def test_an_entry_ages() -> None:
    clock = ManualClock()
    cache = recent(100, ttl_s=60.0, monotonic=clock.monotonic)
    cache.put("a", b"one", 4)
    clock.advance(59.0)
    assert cache.get("a") == b"one"
    clock.advance(2.0)
    assert cache.get("a") is None
    assert cache.stats().bytes == cache.stats().entries == 0


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 12)), max_size=60), st.integers(0, 60))
def test_never_more_than_allowed(puts: list[tuple[str, int]], bytes_max: int) -> None:
    cache, last = recent(bytes_max), dict[str, int]()
    for key, size in puts:
        cache.put(key, bytes(size), size)
        last[key] = size
        assert cache.stats().bytes <= bytes_max
    kept = {key: value for key in last if (value := cache.get(key)) is not None}
    assert all(len(value) == last[key] for key, value in kept.items())
    assert cache.stats().bytes == sum(map(len, kept.values()))
    assert cache.clear() == len(kept)
    assert cache.stats().bytes == cache.stats().entries == 0
