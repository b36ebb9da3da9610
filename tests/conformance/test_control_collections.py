"""Collections and routes of every control store."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from control_suite import NOW, collection, document, job

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.collections import Bm25Fit, Deletion, DocumentLengths
from vectis.domain.errors import CollectionExists, CollectionNotFound, Conflict
from vectis.domain.ports.control import Divergence
from vectis.domain.routes import Mirror, RoutePlan, Target


async def test_a_collection_comes_back_as_it_was_added(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    assert await store.collection(unique) == collection(unique)
    assert collection(unique) in await store.collections()
    assert await store.collection("absent") is None


async def test_collections_are_in_order_of_their_names(store: SqlStore, unique: str) -> None:
    names = [f"{unique}{end}" for end in ("b", "B", "_", "a", "-", "9")]
    for name in names:
        await store.add_collection(collection(name))
    listed = [each.name for each in await store.collections() if each.name in names]
    assert listed == sorted(names)


async def test_a_name_is_taken_once(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    with pytest.raises(CollectionExists, match=unique):
        await store.add_collection(collection(unique))
    await store.set_route(f"{unique}-alias", RoutePlan((Target(unique),)))
    with pytest.raises(CollectionExists):
        await store.add_collection(collection(f"{unique}-alias"))
    with pytest.raises(CollectionExists):
        await store.set_route(unique, RoutePlan((Target(unique),)))


async def test_of_many_at_once_one_gets_the_name(store: SqlStore, store_url: str, unique: str) -> None:
    other = await open_store(store_url)
    await store.add_collection(collection(f"{unique}-target"))
    attempts = [each.add_collection(collection(unique)) for each in (store, other) for _ in range(4)]
    attempts += [
        each.set_route(unique, RoutePlan((Target(f"{unique}-target"),))) for each in (store, other) for _ in range(2)
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    await other.close()
    taken_by_collection = await store.collection(unique) is not None
    assert taken_by_collection != (unique in await store.routes())
    wins = [outcome for outcome in outcomes if not isinstance(outcome, CollectionExists)]
    assert len(wins) == (1 if taken_by_collection else 4), outcomes


async def test_removing_a_collection_removes_its_documents(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    await store.put_documents(unique, [document("a")], job(unique), NOW)
    assert await store.remove_collection(unique)
    assert not await store.remove_collection(unique)
    assert await store.collection(unique) is None
    await store.add_collection(collection(unique))
    assert await store.documents(unique, ["a"]) == []


async def test_the_corpus_statistics_are_replaced(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    for fit in (Bm25Fit(avg_len=61.5), Bm25Fit(62.25, 2**40, 3, DocumentLengths(9.5, 5, 1))):
        await store.set_bm25(unique, fit)
        kept = await store.collection(unique)
        assert kept is not None
        assert kept.bm25 == fit
    with pytest.raises(CollectionNotFound, match="absent"):
        await store.set_bm25("absent", Bm25Fit(avg_len=1))


async def test_a_route_is_replaced_in_one_step_and_its_version_only_grows(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    await store.add_collection(collection(f"{unique}-2"))
    alias = f"{unique}-alias"
    first = await store.set_route(alias, RoutePlan((Target(unique),)))
    assert (first.version, first.targets) == (1, (Target(unique),))
    halves = (Target(unique, "stable", 12.25), Target(f"{unique}-2", "candidate", 87.75))
    mirror = Mirror({"candidate": f"{unique}-2"}, 10, exact=True)
    plan = RoutePlan(halves, salt="s", followers=(f"{unique}-2",), mirror=mirror, interleave_percent=12.34)
    second = await store.set_route(alias, plan)
    assert (second.version, second.plan) == (2, plan)
    assert (await store.routes()).get(alias) == second
    assert await store.remove_route(alias)
    assert not await store.remove_route(alias)
    assert (await store.routes()).get(alias) is None
    assert (await store.set_route(alias, RoutePlan((Target(unique),)))).version > second.version


async def test_the_name_of_a_removed_route_is_free(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    await store.set_route(f"{unique}-alias", RoutePlan((Target(unique),)))
    await store.remove_route(f"{unique}-alias")
    await store.add_collection(collection(f"{unique}-alias"))


async def test_a_route_leads_to_collections_only(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    with pytest.raises(CollectionNotFound, match="absent"):
        await store.set_route(
            f"{unique}-alias", RoutePlan((Target(unique, weight_percent=50), Target("absent", "b", 50)))
        )
    for plan in (
        RoutePlan((Target(unique),), followers=("absent",)),
        RoutePlan((Target(unique),), mirror=Mirror({"a": "absent"}, 1)),
    ):
        with pytest.raises(CollectionNotFound, match="absent"):
            await store.set_route(f"{unique}-alias", plan)
    assert f"{unique}-alias" not in await store.routes()


async def test_of_two_who_read_the_same_version_one_writes(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    plan = RoutePlan((Target(unique),))
    with pytest.raises(Conflict, match="version 0, not 3"):
        await store.set_route(f"{unique}-alias", plan, read_version=3)
    tries = [store.set_route(f"{unique}-alias", plan, read_version=0) for _ in range(4)]
    first = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in first) == 3
    tries = [store.set_route(f"{unique}-alias", plan, read_version=1) for _ in range(4)]
    second = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in second) == 3


async def test_what_a_collection_missed_is_counted_until_it_is_gone(store: SqlStore, unique: str) -> None:
    assert await store.divergence(unique) is None
    await store.note_divergence(unique, "not there", NOW)
    assert await store.divergence(unique) is None
    await store.add_collection(collection(unique))
    await store.note_divergence(unique, "first", NOW)
    await store.note_divergence(unique, "second", NOW + timedelta(seconds=1))
    assert await store.divergence(unique) == Divergence(unique, 2, NOW, "first")
    await store.remove_collection(unique)
    assert await store.divergence(unique) is None


async def test_ping(store: SqlStore) -> None:
    await store.ping()


async def test_a_deleted_collection_is_there_for_those_who_ask_and_its_documents_stay(
    store: SqlStore, unique: str
) -> None:
    await store.add_collection(collection(unique))
    await store.put_documents(unique, [document("a")], job(f"{unique}-put"), NOW)
    deletion = Deletion(NOW, NOW + timedelta(hours=1), f"{unique}-remove")
    await store.hide_collection(unique, deletion, job(deletion.job_id))
    hidden = await store.collection(unique)
    assert hidden is not None
    assert hidden.deletion == deletion
    assert await store.job(deletion.job_id) is not None
    assert unique not in [each.name for each in await store.collections()]
    assert hidden in await store.deleted_collections()
    with pytest.raises(CollectionNotFound):
        await store.put_documents(unique, [document("b")], job(f"{unique}-late"), NOW)
    with pytest.raises(CollectionNotFound):
        await store.set_route(f"{unique}-alias", RoutePlan((Target(unique),)))
    with pytest.raises(CollectionNotFound):
        await store.hide_collection(unique, deletion, job(f"{unique}-again"))
    with pytest.raises(CollectionExists):
        await store.add_collection(collection(unique))
    (stored,) = await store.documents(unique, ["a"])
    await store.finish_documents(unique, [msgspec.structs.replace(stored, indexed_revision=stored.revision)])
    assert await store.show_collection(unique, NOW) == deletion
    assert await store.show_collection(unique, NOW) is None
    assert await store.collection(unique) == collection(unique)
    assert (await store.documents(unique, ["a"]))[0].indexed_revision == stored.revision


async def test_what_an_alias_needs_is_not_deleted(store: SqlStore, unique: str) -> None:
    names = [f"{unique}-{role}" for role in ("target", "follower", "mirror")]
    for name in names:
        await store.add_collection(collection(name))
    plan = RoutePlan((Target(names[0]),), followers=(names[1],), mirror=Mirror({"a": names[2]}, 10))
    await store.set_route(f"{unique}-alias", plan)
    for name in names:
        with pytest.raises(Conflict, match=f"{unique}-alias"):
            await store.hide_collection(name, Deletion(NOW, NOW, "x"), job(f"{name}-remove"))
        assert await store.job(f"{name}-remove") is None


async def test_one_of_many_gets_the_right_to_remove(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    until = NOW + timedelta(minutes=1)
    assert not await store.take_removal(unique, "mine", now=NOW, until=until)
    await store.hide_collection(unique, Deletion(NOW, NOW, "mine"), job(f"{unique}-remove"))
    assert not await store.take_removal(unique, "another's", now=NOW, until=until)
    takes = [store.take_removal(unique, "mine", now=NOW, until=until) for _ in range(5)]
    assert sorted(await asyncio.gather(*takes)) == [False] * 4 + [True]
    assert await store.show_collection(unique, NOW) is None
    assert await store.take_removal(unique, "mine", now=until, until=until)
