"""Versions of search settings in every control store."""

import asyncio
from datetime import timedelta

import pytest
from control_suite import NOW, collection, job

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.collections import Bm25Fit, Deletion, settings_at_creation
from vectis.domain.errors import CollectionNotFound, Conflict
from vectis.domain.profiles import Scores, SearchSettings
from vectis.domain.queries import Rrf

WEIGHED = SearchSettings(limit=7, fusion=Scores(dense=2.5, sparse=0.0))
RANKED = SearchSettings(fusion=Rrf(k=60, weights=[1.0, 2.0]))


async def test_a_collection_has_the_version_that_it_was_created_with(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    assert await store.search_versions(unique) == [settings_at_creation(collection(unique))]


async def test_every_version_comes_back_and_the_newest_is_in_force(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    later = NOW + timedelta(hours=1)
    changed = await store.set_search(unique, WEIGHED, by="ada", description="fitted", now=later)
    assert changed.before == settings_at_creation(collection(unique))
    assert (changed.after.number, changed.after.at, changed.after.author) == (2, later, "ada")
    await store.set_bm25(unique, Bm25Fit(avg_len=9.5))
    await store.set_search(unique, RANKED, by="bob", description="", now=later, read_version=2)
    versions = await store.search_versions(unique)
    assert [(v.number, v.settings) for v in versions] == [(3, RANKED), (2, WEIGHED), (1, SearchSettings())]
    assert versions[1] == changed.after
    kept = await store.collection(unique)
    assert kept is not None
    assert (kept.profile.search, kept.bm25) == (RANKED, Bm25Fit(avg_len=9.5))


async def test_equal_settings_are_no_version(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    changed = await store.set_search(unique, SearchSettings(), by="ada", description="", now=NOW)
    assert changed.before == changed.after
    assert len(await store.search_versions(unique)) == 1


async def test_settings_made_from_an_older_version_are_a_conflict(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    await store.set_search(unique, WEIGHED, by="ada", description="", now=NOW, read_version=1)
    with pytest.raises(Conflict, match="version 2, not 1"):
        await store.set_search(unique, RANKED, by="bob", description="", now=NOW, read_version=1)
    assert len(await store.search_versions(unique)) == 2


async def test_of_many_at_once_each_gets_a_number_of_its_own(store: SqlStore, store_url: str, unique: str) -> None:
    other = await open_store(store_url)
    await store.add_collection(collection(unique))
    changes = [
        each.set_search(unique, SearchSettings(limit=10 * n + m), by="ada", description="", now=NOW)
        for n, each in enumerate((store, other), start=2)
        for m in range(4)
    ]
    changed = await asyncio.gather(*changes)
    await other.close()
    assert sorted(each.after.number for each in changed) == list(range(2, 10))
    kept = await store.collection(unique)
    assert kept is not None
    assert kept.profile.search == (await store.search_versions(unique))[0].settings


async def test_versions_go_with_their_collection(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    await store.set_search(unique, WEIGHED, by="ada", description="", now=NOW)
    await store.hide_collection(unique, Deletion(NOW, NOW, f"{unique}-job"), job(f"{unique}-job"))
    for wish in (store.search_versions(unique), store.set_search(unique, RANKED, by="", description="", now=NOW)):
        with pytest.raises(CollectionNotFound, match=unique):
            await wish
    await store.remove_collection(unique)
    await store.add_collection(collection(unique))
    assert [each.number for each in await store.search_versions(unique)] == [1]
