"""Which documents are taken in, and what the others are told."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from passes import reads, writes

from vectis.domain.documents import Document
from vectis.domain.errors import CollectionNotFound, DocumentNotFound, LimitExceeded, Unsupported
from vectis.domain.routes import RoutePlan, Target
from vectis.ingest.parse.outline import TEXT_CHARACTERS_MAX
from vectis.ingest.service import DOCUMENTS_MAX


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (Document(id="", text="x"), "invalid_name"),
        (Document(id="a\nb", text="x"), "invalid_name"),
        (Document(id="a" * 513, text="x"), "invalid_name"),
        (Document(id="a", text=" \n"), "invalid_input"),
        (Document(id="a", text="x\x00y"), "unreadable_document"),
        (Document(id="a", text="x" * (TEXT_CHARACTERS_MAX + 1)), "too_large"),
        (Document(id="a", text="x", title="t" * 3000), "invalid_input"),
        (Document(id="a", text="x", payload={"text": "mine"}), "invalid_input"),
        (Document(id="a", text="x", payload={"k": object()}), "invalid_input"),
        (Document(id="a", text="x", payload={"k": "v" * 70_000}), "too_large"),
        (Document(id="a", text="x", payload={"k": ["a\x00"]}), "invalid_input"),
        (Document(id="a", text="x", payload={"k": {"n": 2**64}}), "invalid_input"),
        (Document(id="a", text="x", payload={"k": float("nan")}), "invalid_input"),
        (Document(id="a", text="x", payload={"k": nested(100_000)}), "invalid_input"),
        (Document(id="a", text="x\ud800"), "invalid_input"),
    ],
)
async def test_a_bad_document_is_refused_with_place_and_reason(world: Any, document: Document, code: str) -> None:
    good = Document(id="good", text="fine")
    accepted = await world.service.accept(writes("docs"), [good, document])
    assert accepted.accepted == 1
    ((index, refused_code),) = [(r.index, r.code) for r in accepted.refused]
    assert (index, refused_code) == (1, code)
    assert world.queue.jobs[-1].payload == {"collection": "docs", "ids": ["good"]}


async def test_only_bad_documents_make_no_job(world: Any) -> None:
    accepted = await world.service.accept(writes("docs"), [Document(id="", text="x")])
    assert (accepted.job_id, accepted.accepted, world.queue.jobs) == (None, 0, [])


async def test_the_last_of_two_with_one_id_counts(world: Any) -> None:
    await world.ingest(Document(id="a", text="first"), Document(id="a", text="second"))
    assert await world.texts() == {"second"}


async def test_what_is_not_there_is_said(world: Any) -> None:
    with pytest.raises(CollectionNotFound):
        await world.service.accept(writes("nowhere"), [])
    with pytest.raises(DocumentNotFound):
        await world.service.get(reads("docs"), "nothing")
    with pytest.raises(LimitExceeded):
        await world.service.list(reads("docs"), limit=1001)
    with pytest.raises(LimitExceeded):
        await world.service.accept(writes("docs"), [Document(id="a", text="x")] * (DOCUMENTS_MAX + 1))


async def test_a_collection_of_callers_vectors_takes_no_documents(new_world: Callable[..., Awaitable[Any]]) -> None:
    world = await new_world(embedding=None)
    with pytest.raises(Unsupported, match="own vectors"):
        await world.service.accept(writes("docs"), [Document(id="a", text="x")])


async def test_documents_are_listed_by_source(world: Any) -> None:
    await world.ingest(Document(id="a", text="x", source="s"), Document(id="b", text="y", source="t"))
    page = await world.service.list(reads("docs"), source="t")
    assert [kept.stored.document.id for kept in page.documents] == ["b"]


async def test_documents_are_put_to_an_alias_as_to_its_collection(world: Any) -> None:
    await world.store.set_route("public", RoutePlan((Target("docs"),)))
    accepted = await world.service.accept(writes("public"), [Document(id="a", text="x"), Document(id="b", text="y")])
    await world.run(world.queue.jobs[-1])
    assert world.queue.jobs[-1].payload["collection"] == "docs"
    assert (await world.service.get(reads("public"), "a")).current
    assert (await world.service.accept(writes("docs"), [Document(id="a", text="x")])).unchanged == 1
    assert (await world.service.remove(writes("public"), ["a"])).removed == 1
    page = await world.service.list(reads("public"))
    assert (accepted.accepted, [kept.stored.document.id for kept in page.documents]) == (2, ["b"])


async def test_documents_are_kept_and_removed_in_every_collection_that_is_written_together(world: Any) -> None:
    await world.create("docs-2", target=10)
    halves = (Target("docs", weight_percent=50.0), Target("docs-2", "candidate", 50.0))
    await world.store.set_route("public", RoutePlan(halves))
    accepted = await world.service.accept(writes("public"), [Document(id="a", text="x"), Document(id="b", text="y")])
    assert [job.payload["collection"] for job in world.queue.jobs] == ["docs", "docs-2"]
    assert (accepted.job_id, *accepted.followed) == tuple(job.id for job in world.queue.jobs)
    for job in world.queue.jobs:
        await world.run(job)
    await world.service.remove(writes("docs"), ["a"])
    for name in ("docs", "docs-2"):
        page = await world.service.list(reads(name))
        assert [kept.stored.document.id for kept in page.documents] == ["b"]
    assert await world.store.divergence("docs-2") is None


async def test_a_follower_that_takes_no_documents_diverges_and_the_document_is_kept(world: Any) -> None:
    await world.create("vectors", embedding=None)
    await world.store.set_route("public", RoutePlan((Target("docs"),), followers=("vectors",)))
    accepted = await world.service.accept(writes("public"), [Document(id="a", text="x")])
    assert (accepted.accepted, accepted.followed) == (1, ())
    assert (await world.store.divergence("vectors")).reason.startswith("unsupported: ")
