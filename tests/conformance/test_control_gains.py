"""What modes of search gain, in every control store."""

from datetime import timedelta

import pytest
from control_suite import NOW, collection, job
from msgspec.structs import replace

from vectis.adapters.sql.store import SqlStore
from vectis.domain.collections import Deletion
from vectis.domain.errors import CollectionNotFound
from vectis.domain.gains import Gain

HYDE = Gain("hyde", "default", "judged", 120, 0.0314, -0.0021, 0.0652, at=NOW, author="ada")
BEST = replace(HYDE, mode="best", dataset="others")


async def test_the_last_of_each_two_modes_comes_back(store: SqlStore, unique: str) -> None:
    await store.add_collection(collection(unique))
    assert await store.gains(unique) == []
    against_sparse, again = replace(HYDE, against="sparse"), replace(HYDE, difference=0.01, at=NOW + timedelta(days=1))
    for gain in (HYDE, BEST, against_sparse, again):
        await store.put_gain(unique, gain)
    assert await store.gains(unique) == [BEST, again, against_sparse]
    assert (await store.all_gains())[unique] == [BEST, again, against_sparse]


async def test_they_go_with_their_collection(store: SqlStore, unique: str) -> None:
    with pytest.raises(CollectionNotFound):
        await store.put_gain(unique, HYDE)
    await store.add_collection(collection(unique))
    await store.put_gain(unique, HYDE)
    removal = job(f"{unique}-removal")
    await store.hide_collection(unique, Deletion(NOW, NOW, removal.id), removal)
    assert unique not in await store.all_gains()
    with pytest.raises(CollectionNotFound):
        await store.put_gain(unique, HYDE)
    await store.remove_collection(unique)
    await store.add_collection(collection(unique))
    assert await store.gains(unique) == []
