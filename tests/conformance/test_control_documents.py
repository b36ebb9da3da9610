"""Kept documents of every control store."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from control_suite import NOW, collection, document, job

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.documents import Document, TextFormat
from vectis.domain.errors import CollectionNotFound
from vectis.domain.hashing import content_hash
from vectis.domain.ports.control import StoredDocument

LATER = NOW + timedelta(hours=1)


@pytest.fixture
async def docs(store: SqlStore, unique: str) -> str:
    """The name of an empty collection."""
    await store.add_collection(collection(unique))
    return unique


async def get(store: SqlStore, docs: str, document_id: str) -> StoredDocument:
    (stored,) = await store.documents(docs, [document_id])
    return stored


def indexed(stored: StoredDocument, *, chunks: int = 3) -> StoredDocument:
    return msgspec.structs.replace(stored, indexed_revision=stored.revision, pipeline="p", chunks=chunks)


async def test_a_document_comes_back_as_it_was_sent(store: SqlStore, docs: str) -> None:
    sent = Document(
        id="guide/ü b#1",
        text="tab\t nul \x00 emoji \N{GRINNING FACE}\r\n",
        title="T",
        format=TextFormat.RST,
        source="s",
        url="https://example.org/?q=1",
        payload={"n": 1, "f": 1.5, "none": None, "deep": {"list": [1, "a", {"b": True}]}},
    )
    (put,) = await store.put_documents(docs, [sent], job(f"{docs}-1"), NOW)
    assert put.document == sent
    assert (put.revision >= 1, put.indexed_revision, put.updated_at) == (True, 0, NOW)
    assert put.content_hash == content_hash(sent)
    assert await get(store, docs, sent.id) == put


async def test_documents_and_their_job_are_kept_together_or_not_at_all(store: SqlStore, docs: str) -> None:
    await store.put_documents(docs, [document("a")], job(f"{docs}-put"), NOW)
    await store.mark_deleted(docs, ["a"], job(f"{docs}-delete"), NOW)
    assert await store.job(f"{docs}-put") == job(f"{docs}-put")
    assert await store.job(f"{docs}-delete") == job(f"{docs}-delete")
    with pytest.raises(CollectionNotFound):
        await store.put_documents("absent", [document("a")], job(f"{docs}-lost"), NOW)
    with pytest.raises(CollectionNotFound):
        await store.mark_deleted("absent", ["a"], job(f"{docs}-lost"), NOW)
    assert await store.job(f"{docs}-lost") is None
    unwritable = msgspec.structs.replace(job(f"{docs}-lost"), payload={"ids": object()})
    with pytest.raises(TypeError):
        await store.put_documents(docs, [document("b")], unwritable, NOW)
    with pytest.raises(TypeError):
        await store.mark_deleted(docs, ["a"], unwritable, NOW)
    assert await store.documents(docs, ["b"]) == []


async def test_unchanged_content_keeps_its_revision(store: SqlStore, docs: str) -> None:
    (first,) = await store.put_documents(docs, [document("a")], job(f"{docs}-1"), NOW)
    await store.finish_documents(docs, [indexed(first)])
    again, new = await store.put_documents(docs, [document("a"), document("b")], job(f"{docs}-2"), LATER)
    assert again == indexed(first)
    assert new.indexed_revision == 0
    assert await get(store, docs, "a") == again


async def test_changed_content_gets_a_higher_revision(store: SqlStore, docs: str) -> None:
    (first,) = await store.put_documents(docs, [document("a", source="s")], job(f"{docs}-1"), NOW)
    failed = msgspec.structs.replace(indexed(first), error="no")
    await store.finish_documents(docs, [failed])
    changed = document("a", "other", source="t")
    (second,) = await store.put_documents(docs, [changed], job(f"{docs}-2"), LATER)
    assert second.revision > first.revision
    assert second.document == changed
    assert (second.indexed_revision, second.pipeline, second.chunks) == (first.revision, "p", 3)
    assert (second.updated_at, second.error, second.content_hash) == (LATER, None, content_hash(changed))
    assert await get(store, docs, "a") == second
    assert [s.document.id for s in (await store.list_documents(docs, limit=9, source="t")).documents] == ["a"]
    assert (await store.list_documents(docs, limit=9, source="s")).documents == []


async def test_of_one_id_sent_twice_the_last_counts(store: SqlStore, docs: str) -> None:
    sent = [document("a", "1"), document("b"), document("a", "2")]
    put = await store.put_documents(docs, sent, job(f"{docs}-1"), NOW)
    assert [stored.document.text for stored in put] == ["2", "text", "2"]
    assert (await get(store, docs, "a")).document.text == "2"


async def test_a_deleted_document_is_marked_and_gone_when_finished(store: SqlStore, docs: str) -> None:
    kept, gone = await store.put_documents(docs, [document("a"), document("b")], job(f"{docs}-1"), NOW)
    assert await store.mark_deleted(docs, ["b", "absent"], job(f"{docs}-2"), LATER) == 1
    assert await store.mark_deleted(docs, ["b"], job(f"{docs}-3"), LATER) == 0
    marked = await get(store, docs, "b")
    assert (marked.deleted, marked.revision > gone.revision, marked.updated_at) == (True, True, LATER)
    assert (await store.list_documents(docs, limit=9)).documents == [kept]
    await store.finish_documents(docs, [indexed(marked)])
    assert await store.documents(docs, ["b", "a"]) == [kept]


async def test_a_deleted_document_comes_back_when_put_again(store: SqlStore, docs: str) -> None:
    await store.put_documents(docs, [document("a")], job(f"{docs}-1"), NOW)
    await store.mark_deleted(docs, ["a"], job(f"{docs}-2"), NOW)
    marked = await get(store, docs, "a")
    (back,) = await store.put_documents(docs, [document("a")], job(f"{docs}-3"), LATER)
    assert (back.deleted, back.revision > marked.revision) == (False, True)
    await store.finish_documents(docs, [indexed(marked)])
    assert await get(store, docs, "a") == back


async def test_finishing_an_old_revision_changes_nothing(store: SqlStore, docs: str) -> None:
    (first,) = await store.put_documents(docs, [document("a")], job(f"{docs}-1"), NOW)
    (second,) = await store.put_documents(docs, [document("a", "2")], job(f"{docs}-2"), NOW)
    await store.finish_documents(docs, [indexed(first)])
    assert await get(store, docs, "a") == second
    failed = msgspec.structs.replace(second, error="binary")
    await store.finish_documents(docs, [failed])
    assert await get(store, docs, "a") == failed


async def test_a_document_put_again_after_its_removal_has_a_higher_revision(store: SqlStore, docs: str) -> None:
    (old,) = await store.put_documents(docs, [document("a")], job(f"{docs}-1"), NOW)
    await store.mark_deleted(docs, ["a"], job(f"{docs}-2"), NOW)
    await store.finish_documents(docs, await store.documents(docs, ["a"]))
    (new,) = await store.put_documents(docs, [document("a")], job(f"{docs}-3"), NOW)
    assert new.revision > old.revision


async def test_pages_begin_where_the_last_one_said(store: SqlStore, docs: str) -> None:
    ids = ["B", "a", "a-1", "a_1", "b", "é", "z", "中"]
    await store.put_documents(docs, [document(i, source="odd" if n % 2 else "even") for n, i in enumerate(ids)],
                              job(f"{docs}-1"), NOW)  # fmt: skip
    seen: list[str] = []
    offset = None
    while True:
        page = await store.list_documents(docs, limit=3, offset=offset)
        seen += [stored.document.id for stored in page.documents]
        offset = page.next_offset
        if offset is None:
            break
    assert seen == sorted(ids)
    odd = await store.list_documents(docs, limit=3, offset="a-1", source="odd")
    assert [stored.document.id for stored in odd.documents] == ["a_1", "é", "中"][:3]


async def test_a_sample_is_the_same_ones_and_not_the_first_ones(store: SqlStore, docs: str) -> None:
    ids = [f"d{n:03}" for n in range(100)]
    await store.put_documents(docs, [document(id, f"text {id}") for id in ids], job(f"{docs}-1"), NOW)
    await store.mark_deleted(docs, ids[50:], job(f"{docs}-2"), NOW)
    sampled = [stored.document.id for stored in await store.sample_documents(docs, limit=10)]
    assert [stored.document.id for stored in await store.sample_documents(docs, limit=10)] == sampled
    assert len(set(sampled)) == 10
    assert set(sampled) < set(ids[:50])
    assert set(sampled) != set(ids[:10])
    assert len(await store.sample_documents(docs, limit=1000)) == 50
    assert await store.sample_documents("absent", limit=10) == []


async def test_a_thousand_documents_at_once(store: SqlStore, docs: str) -> None:
    sent = [document(f"d{n:04}", f"text {n}") for n in range(2500)]
    await store.put_documents(docs, sent, job(f"{docs}-1"), NOW)
    some = [each.id for each in reversed(sent[:1500])]
    found = await store.documents(docs, [*some, "absent"])
    assert [stored.document.id for stored in found] == some
    await store.finish_documents(docs, [indexed(stored) for stored in found])
    assert await store.documents(docs, some) == [indexed(stored) for stored in found]
    assert await store.mark_deleted(docs, [each.id for each in sent], job(f"{docs}-2"), NOW) == 2500
    await store.finish_documents(docs, await store.documents(docs, [each.id for each in sent]))
    assert await store.documents(docs, [each.id for each in sent]) == []


async def test_a_document_of_megabytes(store: SqlStore, docs: str) -> None:
    big = document("big", "wörd " * 1_000_000)
    await store.put_documents(docs, [big], job(f"{docs}-1"), NOW)
    assert (await get(store, docs, "big")).document == big


async def test_nothing_sent_still_records_the_job(store: SqlStore, docs: str) -> None:
    assert await store.put_documents(docs, [], job(f"{docs}-1"), NOW) == []
    assert await store.mark_deleted(docs, [], job(f"{docs}-2"), NOW) == 0
    await store.finish_documents(docs, [])
    assert await store.documents(docs, []) == []
    assert await store.job(f"{docs}-1") is not None
    assert await store.job(f"{docs}-2") is not None


async def test_writers_in_several_processes_do_not_lose_or_block_each_other(
    store: SqlStore, store_url: str, docs: str
) -> None:
    others = [await open_store(store_url) for _ in range(3)]
    ids = [f"d{n}" for n in range(20)]

    async def write(each: SqlStore, writer: int) -> None:
        for turn in range(5):
            order = ids if (writer + turn) % 2 else ids[::-1]
            sent = [document(i, f"{writer} {turn}") for i in order]
            put = await each.put_documents(docs, sent, job(f"{docs}-{writer}-{turn}"), NOW)
            await each.finish_documents(docs, [indexed(stored) for stored in put])

    await asyncio.gather(*(write(each, writer) for writer, each in enumerate([store, *others])))
    for each in others:
        await each.close()
    found = await store.documents(docs, ids)
    assert len({stored.document.text for stored in found}) == 1
    assert len({stored.revision for stored in found}) == 1
    assert all([await store.job(f"{docs}-{writer}-{turn}") for writer in range(4) for turn in range(5)])


async def copied(store: SqlStore, source: str, target: str, limit: int = 2) -> list[str]:
    ids: list[str] = []
    while more := await store.copy_documents(source, target, limit=limit, after=ids[-1] if ids else None, now=LATER):
        ids += more
    return ids


async def test_what_another_collection_lacks_is_copied_to_it(store: SqlStore, docs: str) -> None:
    target = f"{docs}-target"
    await store.add_collection(collection(target))
    await store.put_documents(docs, [document(f"d{number}") for number in range(5)], job(f"{docs}-1"), NOW)
    await store.put_documents(target, [document("d1", text="its own")], job(f"{docs}-2"), NOW)
    await store.mark_deleted(docs, ["d3"], job(f"{docs}-3"), NOW)
    assert await copied(store, docs, target) == ["d0", "d2", "d4"]
    assert (await get(store, target, "d1")).document.text == "its own"
    fresh, before = await get(store, target, "d2"), await get(store, docs, "d2")
    assert (fresh.document, fresh.content_hash) == (before.document, before.content_hash)
    assert (fresh.indexed_revision, fresh.chunks, fresh.updated_at) == (0, 0, LATER)
    assert await copied(store, docs, target) == []
    assert (await store.count_documents(docs), await store.count_documents(target)) == (4, 4)
    with pytest.raises(CollectionNotFound):
        await store.copy_documents(docs, "absent", limit=1, after=None, now=NOW)


async def test_a_document_deleted_while_all_are_copied_does_not_come_back(store: SqlStore, docs: str) -> None:
    target = f"{docs}-target"
    await store.add_collection(collection(target))
    await store.put_documents(docs, [document(f"d{number}") for number in range(20)], job(f"{docs}-1"), NOW)

    async def delete(id: str) -> None:
        for each in (docs, target):
            await store.mark_deleted(each, [id], job(f"{each}-{id}"), NOW)

    await asyncio.gather(copied(store, docs, target), *(delete(f"d{number}") for number in range(0, 20, 2)))
    await copied(store, docs, target)
    assert await store.count_documents(docs) == await store.count_documents(target) == 10


async def test_what_cannot_be_found_as_sent_is_listed(store: SqlStore, docs: str) -> None:
    put = await store.put_documents(docs, [document(f"d{number}") for number in range(4)], job(f"{docs}-1"), NOW)
    done, incomplete, unreadable = indexed(put[0]), indexed(put[1]), indexed(put[2])
    incomplete = msgspec.structs.replace(incomplete, pipeline="")
    unreadable = msgspec.structs.replace(unreadable, pipeline="", error="no text")
    await store.finish_documents(docs, [done, incomplete, unreadable])
    assert await store.unindexed_documents(docs, limit=9, after=None) == ["d1", "d3"]
    assert await store.unindexed_documents(docs, limit=1, after=None) == ["d1"]
    assert await store.unindexed_documents(docs, limit=9, after="d1") == ["d3"]
