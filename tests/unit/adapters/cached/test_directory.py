"""The cached directory: own changes at once, others' within the age, unknown names looked up."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.versions import MemoryVersions
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.catalog.profiles import vectors_profile
from vectis.domain.collections import Bm25Fit, Collection
from vectis.domain.errors import CollectionNotFound, Conflict, StoreUnavailable
from vectis.domain.routes import RoutePlan, Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Watched:
    """A store that counts its reads and can be away."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.reads = 0
        self.away = False

    async def collections(self) -> list[Collection]:
        self.reads += 1
        if self.away:
            raise StoreUnavailable("away")
        return await self._store.collections()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    opened = await open_store("sqlite:///:memory:")
    for name in ("a", "b"):
        await opened.add_collection(Collection(name, vectors_profile(), NOW))
    yield opened
    await opened.close()


async def test_a_change_elsewhere_is_seen_after_the_age(store: SqlStore) -> None:
    clock = ManualClock(NOW)
    directory = CachedDirectory(store, clock, MemoryVersions(), max_age_s=1.0)
    await store.set_route("public", RoutePlan((Target("a"),)))
    assert (await directory.resolve("public")).collection.name == "a"
    await store.set_route("public", RoutePlan((Target("b"),)))
    assert (await directory.resolve("public")).collection.name == "a"
    clock.advance(1.0)
    async with asyncio.timeout(10):
        while (await directory.resolve("public")).collection.name != "b":  # noqa: ASYNC110 - nothing tells that a read ended
            await asyncio.sleep(0)


async def test_a_store_that_is_away_leaves_the_old_picture_standing(store: SqlStore) -> None:
    clock, watched = ManualClock(NOW), Watched(store)
    directory = CachedDirectory(watched, clock, MemoryVersions())
    await directory.resolve("a")
    watched.away = True
    clock.advance(1.0)
    for _ in range(3):
        assert (await directory.resolve("a")).collection.name == "a"
        await asyncio.sleep(0)
    directory.forget()
    with pytest.raises(StoreUnavailable):
        await directory.resolve("a")
    watched.away = False
    assert (await directory.resolve("a")).collection.name == "a"


async def test_those_who_wait_share_one_read(store: SqlStore) -> None:
    watched = Watched(store)
    directory = CachedDirectory(watched, ManualClock(NOW), MemoryVersions())
    await asyncio.gather(*(directory.resolve("a") for _ in range(64)))
    assert watched.reads <= 2  # the first, and one that began after all had asked


async def test_an_own_change_is_seen_at_once(store: SqlStore) -> None:
    directory = CachedDirectory(store, ManualClock(NOW), MemoryVersions())
    assert (await directory.resolve("a")).variant == "stable"
    await store.set_route("public", RoutePlan((Target("a"),)))
    await directory.resolve("public")
    await store.set_route("public", RoutePlan((Target("b"),)))
    directory.forget()
    assert (await directory.resolve("public")).collection.name == "b"


async def test_an_unknown_name_is_looked_up_before_it_is_refused(store: SqlStore) -> None:
    directory = CachedDirectory(store, ManualClock(NOW), MemoryVersions())
    await directory.resolve("a")
    await store.add_collection(Collection("fresh", vectors_profile(), NOW))
    assert (await directory.resolve("fresh")).collection.name == "fresh"
    with pytest.raises(CollectionNotFound, match="nowhere"):
        await directory.resolve("nowhere")


async def test_a_change_goes_to_the_one_collection_behind_a_name_and_never_to_one_of_several(store: SqlStore) -> None:
    directory = CachedDirectory(store, ManualClock(NOW), MemoryVersions())
    await store.set_route("public", RoutePlan((Target("a"),)))
    assert [(await directory.resolve_one(name)).name for name in ("a", "public")] == ["a", "a"]
    await store.set_route(
        "public",
        RoutePlan(
            (
                Target("a", weight_percent=60.0),
                Target("b", "candidate", 40.0),
            )
        ),
    )
    directory.forget()
    with pytest.raises(Conflict, match="a, b"):
        await directory.resolve_one("public")
    assert (await directory.resolve("public")).collection.name in ("a", "b")
    with pytest.raises(CollectionNotFound):
        await directory.resolve_one("nowhere")


async def test_a_change_of_another_process_is_seen_at_once(store: SqlStore) -> None:
    versions = MemoryVersions()
    here, there = (CachedDirectory(store, ManualClock(NOW), versions) for _ in range(2))
    for number in range(20):
        name = "ab"[number % 2]
        await store.set_route("public", RoutePlan((Target(name),)))
        here.forget()
        assert (await there.resolve("public")).collection.name == name
        assert (await here.resolve("public")).collection.name == name


async def test_a_change_that_was_not_announced_makes_another_mark_once_it_is_seen(store: SqlStore) -> None:
    clock, versions = ManualClock(NOW), MemoryVersions()
    directory = CachedDirectory(store, clock, versions)
    await directory.resolve("a")
    await store.set_bm25("a", Bm25Fit(avg_len=7.0))
    clock.advance(1.0)
    await directory.resolve("a")
    await asyncio.sleep(0.05)
    assert (await directory.resolve("a")).collection.bm25 == Bm25Fit(avg_len=7.0)
    assert versions.directory() == 0
    await store.set_route("public", RoutePlan((Target("a"),)))
    assert (await directory.resolve("public")).collection.name == "a"
    assert versions.directory() == 1
