"""The bounded cache: what it keeps, what it forgets, what it counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.adapters.memory.cache import CacheStats, MemoryCache


async def test_get_what_was_put() -> None:
    cache = MemoryCache(100)
    assert await cache.get("a") is None
    await cache.put("a", b"one")
    await cache.put("empty", b"")
    assert await cache.get("a") == b"one"
    assert await cache.get("empty") == b""
    assert cache.stats() == CacheStats(hits=2, misses=1, evictions=0, bytes=9, entries=2)


async def test_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(30)
    for key in "abc":
        await cache.put(key, bytes(9))
    assert await cache.get("a") is not None
    await cache.put("d", bytes(9))
    assert [await cache.get(key) is not None for key in "abcd"] == [True, False, True, True]
    assert cache.stats().evictions == 1
    assert cache.stats().bytes == 30


async def test_putting_again_replaces_and_refreshes() -> None:
    cache = MemoryCache(30)
    for key in "abc":
        await cache.put(key, bytes(9))
    await cache.put("a", b"12")
    assert cache.stats().bytes == 23
    await cache.put("d", bytes(9))
    assert [await cache.get(key) for key in "ab"] == [b"12", None]


async def test_a_value_too_large_is_not_kept_and_evicts_nothing_else() -> None:
    cache = MemoryCache(20)
    await cache.put("a", b"old")
    await cache.put("b", b"kept")
    await cache.put("a", bytes(20))
    assert await cache.get("a") is None
    assert await cache.get("b") == b"kept"
    assert cache.stats().evictions == 0


async def test_no_room_at_all() -> None:
    cache = MemoryCache(0)
    await cache.put("a", b"x")
    assert await cache.get("a") is None
    with pytest.raises(ValueError, match="0 or more"):
        MemoryCache(-1)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.binary(max_size=12)), max_size=60), st.integers(0, 60))
async def test_never_more_than_allowed(puts: list[tuple[str, bytes]], bytes_max: int) -> None:
    cache, last = MemoryCache(bytes_max), dict[str, bytes]()
    for key, value in puts:
        await cache.put(key, value)
        last[key] = value
        assert cache.stats().bytes <= bytes_max
        if len(value) + 1 <= bytes_max:
            assert await cache.get(key) == value
    kept = {key: value for key in last if (value := await cache.get(key)) is not None}
    assert all(last[key] == value for key, value in kept.items())
    assert cache.stats().bytes == sum(1 + len(value) for value in kept.values())
    assert cache.stats().entries == len(kept)
