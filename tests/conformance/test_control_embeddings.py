"""Kept vectors of every control store."""

from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import blake2b

import pytest
from control_suite import NOW

from vectis.adapters.sql.store import SqlStore
from vectis.domain.ports.embeddings import EmbeddingUsage, StoredEmbedding


def hashed(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def kept(text: str, *, profile: str = "p", size: int = 8, minutes: int = 0) -> StoredEmbedding:
    return StoredEmbedding(profile, hashed(text), bytes(range(size)), 4096, NOW + timedelta(minutes=minutes))


@pytest.fixture(autouse=True)
async def empty(store: SqlStore) -> AsyncIterator[None]:
    await store.clear_embeddings()
    yield
    await store.clear_embeddings()


async def test_vectors_come_back_as_they_were_put(store: SqlStore) -> None:
    await store.put_embeddings([kept("b"), kept("a")])
    found = await store.embeddings("p", [hashed("a"), hashed("absent"), hashed("b")])
    assert sorted(found, key=lambda each: each.text_hash) == sorted(
        [kept("a"), kept("b")], key=lambda each: each.text_hash
    )
    assert await store.embeddings("other profile", [hashed("a")]) == []
    assert await store.embeddings("p", []) == []


async def test_what_is_there_stays_as_it_is(store: SqlStore) -> None:
    await store.put_embeddings([kept("a")])
    await store.put_embeddings([kept("a", size=16, minutes=5), kept("b"), kept("b")])
    assert await store.embeddings("p", [hashed("a")]) == [kept("a")]
    assert await store.embedding_usage() == EmbeddingUsage(entries=2, bytes=16)
    await store.put_embeddings([])


async def test_the_least_recently_used_go_first(store: SqlStore) -> None:
    texts = [f"text {n}" for n in range(20)]
    await store.put_embeddings([kept(text, minutes=n) for n, text in enumerate(texts)])
    await store.touch_embeddings("p", [hashed(texts[0]), hashed("absent")], NOW + timedelta(hours=1))
    assert await store.trim_embeddings(160) == 0
    assert await store.trim_embeddings(80) == 11
    left = {each.text_hash for each in await store.embeddings("p", [hashed(text) for text in texts])}
    assert left == {hashed(text) for text in [texts[0], *texts[12:]]}
    assert await store.embedding_usage() == EmbeddingUsage(entries=9, bytes=72)


async def test_more_than_one_statement_takes(store: SqlStore) -> None:
    texts = [f"text {n}" for n in range(2500)]
    await store.put_embeddings([kept(text) for text in texts])
    assert len(await store.embeddings("p", [hashed(text) for text in texts])) == 2500
    assert await store.trim_embeddings(0) == 2500


async def test_clearing_removes_all_profiles(store: SqlStore) -> None:
    await store.put_embeddings([kept("a"), kept("a", profile="q")])
    assert await store.clear_embeddings() == 2
    assert await store.embedding_usage() == EmbeddingUsage(entries=0, bytes=0)
