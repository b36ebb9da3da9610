"""The embedding cache: what it knows after what, how it is bounded, and that a faulty store costs misses only."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from vectis.adapters.cached.embeddings import REST_S, TOUCH_AFTER_S, CachedEmbeddings, EmbeddingBounds
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.errors import DiskFull, StoreUnavailable
from vectis.domain.profiles import EmbeddingProfile

PROFILE = EmbeddingProfile(model="m", revision="1", dimension=4, max_tokens=64)
OTHER = EmbeddingProfile(model="m", revision="2", dimension=4, max_tokens=64)
VECTOR = array("f", [0.1, -0.7, 0.5, 0.5])


class Watched:
    """A store that counts its reads, and can be away, full or hang."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.reads = 0
        self.fault: Exception | None = None
        self.hangs = False

    async def embeddings(self, *arguments: object) -> object:
        self.reads += 1
        if self.hangs:
            await asyncio.Event().wait()
        return await self._ask("embeddings", *arguments)

    async def put_embeddings(self, *arguments: object) -> object:
        return await self._ask("put_embeddings", *arguments)

    async def _ask(self, name: str, *arguments: object) -> object:
        if self.fault is not None:
            raise self.fault
        return await getattr(self._store, name)(*arguments)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@pytest.fixture
async def store() -> AsyncIterator[Watched]:
    opened = await open_store("sqlite:///:memory:")
    yield Watched(opened)
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


def cached(store: Watched, clock: ManualClock, **bounds: object) -> CachedEmbeddings:
    return CachedEmbeddings(store, clock, EmbeddingBounds(**bounds), lambda profile, text: 0.25)  # type: ignore[arg-type]


async def test_a_vector_is_known_at_once_and_after_a_restart(store: Watched, clock: ManualClock) -> None:
    first = cached(store, clock)
    await first.open()
    assert await first.known(PROFILE, ["a"]) == {}
    first.remember(PROFILE, {"a": VECTOR, "b": VECTOR}, took_s=2.0)
    assert await first.known(PROFILE, ["a", "c"]) == {"a": VECTOR}
    assert await first.known(OTHER, ["a"]) == {}
    await first.close()
    second = cached(store, clock)
    await second.open()
    assert await second.known(PROFILE, ["b", "a", "c"]) == {"a": VECTOR, "b": VECTOR}
    counts = second.counts()
    assert (counts["stored_hits_total"], counts["misses_total"], counts["saved_seconds_total"]) == (2, 1, 2.0)
    assert counts["saved_money_total"] == 0.5
    await second.close()


async def test_what_is_held_is_told_without_counting_as_use(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock)
    cache.remember(PROFILE, {"written": VECTOR}, 0.1)
    await cache.close()
    cache.remember(PROFILE, {"waiting": VECTOR}, 0.1)
    assert await cache.held(PROFILE, ["written", "waiting", "absent"]) == {"written", "waiting"}
    assert await cache.held(OTHER, ["written"]) == set()
    assert {cache.counts()[name] for name in ("hits_total", "stored_hits_total", "misses_total")} == {0}
    store.fault = StoreUnavailable("away")
    assert await cache.held(PROFILE, ["written", "waiting"]) == {"waiting"}
    assert cache.counts()["faults_total"] == 0


async def test_a_known_vector_is_not_asked_of_the_store_again(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock)
    cache.remember(PROFILE, {"a": VECTOR}, 0.1)
    for _ in range(5):
        await cache.known(PROFILE, ["a"])
    assert store.reads == 0


async def test_vectors_are_written_behind_within_the_delay(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock, write_after_s=0.01)
    await cache.open()
    cache.remember(PROFILE, {"a": VECTOR}, 0.1)
    async with asyncio.timeout(10):
        while cache.counts()["waiting"]:  # noqa: ASYNC110 - nothing tells that it was written
            await asyncio.sleep(0.005)
    assert (await store.embedding_usage()).entries == 1  # type: ignore[operator]
    await cache.close()


async def test_half_precision_takes_half_the_room(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock, precision="float16", entries_max=0)
    cache.remember(PROFILE, {"a": VECTOR}, 0.1)
    await cache.close()
    assert (await store.embedding_usage()).bytes == 8  # type: ignore[operator]
    assert (await cache.known(PROFILE, ["a"]))["a"] == pytest.approx(VECTOR, abs=1e-3)


async def test_the_store_is_trimmed_to_its_bound(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock, bytes_max=1600)
    for start in range(0, 2000, 500):
        cache.remember(PROFILE, {f"text {start + n}": VECTOR for n in range(500)}, 0.1)
        clock.advance(1.0)
    await cache.close()
    assert 0 < (await store.embedding_usage()).bytes <= 1600  # type: ignore[operator]
    assert cache.counts()["stored_evictions_total"] >= 1900
    fresh = cached(store, clock)
    assert await fresh.known(PROFILE, ["text 0"]) == {}
    assert len(await fresh.known(PROFILE, [f"text {n}" for n in range(1500, 2000)])) == 90


async def test_a_use_keeps_a_vector_from_being_trimmed(store: Watched, clock: ManualClock) -> None:
    writer = cached(store, clock)
    for text in ("old", "older"):
        writer.remember(PROFILE, {text: VECTOR}, 0.1)
    await writer.close()
    clock.advance(2 * TOUCH_AFTER_S)
    reader = cached(store, clock)
    await reader.known(PROFILE, ["old"])
    await reader.close()
    await store.trim_embeddings(18)  # type: ignore[operator]
    assert set(await cached(store, clock).known(PROFILE, ["old", "older"])) == {"old"}


async def test_a_store_that_is_away_is_a_miss_and_left_alone_for_a_while(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock)
    store.fault = StoreUnavailable("away")
    for text in "abc":
        assert await cache.known(PROFILE, [text]) == {}
    assert store.reads == 1
    cache.remember(PROFILE, {"a": VECTOR}, 0.1)
    await cache.close()
    store.fault = None
    clock.advance(REST_S)
    await cache.close()
    assert (await cached(store, clock).known(PROFILE, ["a"])) == {"a": VECTOR}
    assert cache.counts()["faults_total"] == 2


async def test_a_store_that_hangs_costs_the_look_up_time(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock, lookup_s=0.02)
    store.hangs = True
    async with asyncio.timeout(5):
        assert await cache.known(PROFILE, ["a"]) == {}
    assert cache.counts()["faults_total"] == 1


async def test_what_cannot_be_written_is_bounded(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock)
    store.fault = DiskFull("full")
    for start in range(0, 21_000, 1000):
        cache.remember(PROFILE, {f"text {start + n}": VECTOR for n in range(1000)}, 0.1)
    assert (cache.counts()["waiting"], cache.counts()["dropped_total"]) == (20_000, 1000)


async def test_clearing_forgets_here_and_in_the_store(store: Watched, clock: ManualClock) -> None:
    cache = cached(store, clock)
    cache.remember(PROFILE, {"a": VECTOR}, 0.1)
    await cache.close()
    cache.remember(PROFILE, {"b": VECTOR}, 0.1)
    assert await cache.clear() == 1
    assert await cache.known(PROFILE, ["a", "b"]) == {}
