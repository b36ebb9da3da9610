"""What documents become, and that nothing is embedded twice, left behind or lost, wherever a job is cut off."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from passes import reads, writes

from vectis.adapters.cached.embeddings import CachedEmbeddings, EmbeddingBounds
from vectis.adapters.edge.bm25 import EdgeBm25
from vectis.domain.documents import Document
from vectis.domain.embedders import Embedders
from vectis.domain.errors import CollectionNotFound, Conflict, EngineUnavailable
from vectis.domain.jobs import Job, JobState
from vectis.domain.profiles import DENSE, DOCUMENT_DENSE, DOCUMENT_SPARSE, SPARSE, EmbeddingProfile
from vectis.ingest.jobs import refit_now
from vectis.ingest.lengths import has_drifted
from vectis.ingest.survey import Surveyor

BM25 = EdgeBm25()


def words(prefix: str, count: int = 15) -> str:
    return " ".join(f"{prefix}{n}" for n in range(count)) + "."


def guide(*paragraphs: str, id: str = "guide") -> Document:
    return Document(id=id, title="Guide", text="\n\n".join(paragraphs), source="docs", payload={"version": "2"})


FIRST = guide(words("alpha"), words("beta"), words("gamma"))
SECOND = guide(words("delta"), words("beta"), words("epsilon"))


async def test_a_document_becomes_points_with_payload(world: Any) -> None:
    document = Document(
        id="a/b.md",
        text="---\nlanguage: python\ndate: 2024-05-06\n---\n# Install\n\nRun it.\n\n## Linux\n\n" + words("x", 18),
        url="https://example.org/b",
        source="docs",
        payload={"team": "core"},
    )
    counts = await world.ingest(document)
    payloads = sorted((p for p, _ in (await world.points()).values()), key=lambda p: p["ordinal"])
    assert counts["chunks"] == counts["embedded"] == len(payloads) == 2
    assert {name for name in counts if name.endswith("_ms")} == {
        "parse_ms", "chunk_ms", "embed_ms", "sparse_ms", "write_ms"
    }  # fmt: skip
    assert payloads[1] == {
        "document_id": "a/b.md", "title": "Install", "heading_path": ["Install", "Linux"], "text": words("x", 18),
        "ordinal": 1, "source": "docs", "url": "https://example.org/b", "language": "python",
        "last_updated": "2024-05-06T00:00:00Z", "team": "core", "content_hash": payloads[1]["content_hash"],
    }  # fmt: skip
    stored = (await world.service.get(reads("docs"), "a/b.md")).stored
    assert (stored.indexed_revision, stored.chunks, stored.error) == (stored.revision, 2, None)
    assert "Install > Linux. x0" in " ".join(world.embedder.embedded)


@pytest.mark.parametrize("spellings", [True, False])
async def test_other_spellings_are_indexed_where_the_profile_says_so(
    new_world: Callable[..., Awaitable[Any]], spellings: bool
) -> None:
    world = await new_world(spellings=spellings)
    await world.ingest(guide("Take the IL-6 of Python3 " + words("alpha", 8)))
    vectors = [vectors for _, vectors in (await world.points()).values()]
    for word in ("IL6", "python"):
        found = [BM25.term(word) in each[name].indices for each in vectors for name in (SPARSE, DOCUMENT_SPARSE)]
        assert found == [spellings] * 2


async def test_the_same_document_again_is_unchanged(world: Any) -> None:
    await world.ingest(FIRST)
    accepted = await world.service.accept(writes("docs"), [FIRST])
    assert (accepted.job_id, accepted.accepted, accepted.unchanged) == (None, 0, 1)


async def test_only_changed_paragraphs_are_embedded_and_vanished_ones_removed(world: Any) -> None:
    await world.ingest(FIRST)
    before = await world.points()
    world.embedder.embedded.clear()
    counts = await world.ingest(SECOND)
    assert (counts["embedded"], counts["reused"], counts["removed"]) == (2, 1, 2)
    assert sorted(world.embedder.embedded) == ["Guide. " + words("delta"), "Guide. " + words("epsilon")]
    assert await world.texts() == {words("delta"), words("beta"), words("epsilon")}
    (kept,) = before.keys() & (await world.points()).keys()
    assert before[kept][0]["text"] == words("beta")


async def test_a_changed_payload_embeds_nothing(world: Any) -> None:
    await world.ingest(FIRST)
    counts = await world.ingest(replace(FIRST, payload={"version": "3"}))
    assert (counts["embedded"], counts["reused"], counts["removed"]) == (0, 3, 0)
    assert {payload["version"] for payload, _ in (await world.points()).values()} == {"3"}


async def test_a_deleted_document_takes_its_chunks_along(world: Any) -> None:
    await world.ingest(FIRST, replace(FIRST, id="other"))
    removed = await world.service.remove(writes("docs"), ["guide", "unknown"])
    assert removed.removed == 1
    counts = await world.run(world.queue.jobs[-1])
    assert counts["removed"] == 3
    assert {payload["document_id"] for payload, _ in (await world.points()).values()} == {"other"}
    assert [stored.document.id for stored in await world.store.documents("docs", ["guide", "other"])] == ["other"]
    assert (await world.service.remove(writes("docs"), ["guide"])).job_id is None


async def test_equal_paragraphs_are_separate_points(world: Any) -> None:
    counts = await world.ingest(guide(words("same"), words("same"), words("same")))
    assert counts["chunks"] == len(await world.points()) == 3
    assert counts["embedded"] == 1


async def test_an_unreadable_document_is_reported_and_the_others_are_indexed(world: Any) -> None:
    counts = await world.ingest(Document(id="deep", text=">" * 10_000 + "x"), FIRST)
    assert (counts["failed"], counts["documents"]) == (1, 2)
    assert "nested deeper" in (await world.service.get(reads("docs"), "deep")).stored.error
    assert {payload["document_id"] for payload, _ in (await world.points()).values()} == {"guide"}


async def test_a_document_that_became_unreadable_leaves_no_old_chunks(world: Any) -> None:
    await world.ingest(FIRST)
    counts = await world.ingest(replace(FIRST, text=">" * 10_000 + "x"))
    assert (counts["failed"], counts["removed"]) == (1, 3)
    assert await world.points() == {}


@pytest.mark.parametrize("state", ["away", "absent"])
async def test_without_embedder_chunks_are_sparse_and_completed_later(world: Any, state: str) -> None:
    away = world.embedder if state == "away" else world.source
    away.away = True
    counts = await world.ingest(FIRST)
    assert (counts["without_dense"], counts["embedded"]) == (3, 0)
    assert all(set(vectors) <= {SPARSE, DOCUMENT_SPARSE} for _, vectors in (await world.points()).values())
    away.away = False
    counts = await world.ingest(FIRST)
    assert (counts["without_dense"], counts["embedded"]) == (0, 3)
    assert all(set(vectors) >= {SPARSE, DENSE} for _, vectors in (await world.points()).values())
    assert list(await evidence(world)) == [words("alpha")]
    assert (await world.service.accept(writes("docs"), [FIRST])).unchanged == 1


async def evidence(world: Any) -> dict[str, dict[str, Any]]:
    """The vectors of whole documents, by the text of the chunk that carries them."""
    return {
        payload["text"]: {name: vectors[name] for name in (DOCUMENT_DENSE, DOCUMENT_SPARSE)}
        for payload, vectors in (await world.points()).values()
        if DOCUMENT_DENSE in vectors
    }


async def test_the_first_chunk_carries_what_is_known_of_the_whole_document(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("vectis.ingest.indexer.CHUNKS_PER_WRITE", 2)
    await world.ingest(FIRST, guide(words("other"), id="other"))
    carried = await evidence(world)
    assert set(carried) == {words("alpha"), words("other")}
    dense = [
        vectors[DENSE] for payload, vectors in (await world.points()).values() if payload["document_id"] == "guide"
    ]
    mean = [sum(values) for values in zip(*dense, strict=True)]
    length = sum(value * value for value in mean) ** 0.5
    assert list(carried[words("alpha")][DOCUMENT_DENSE]) == pytest.approx([value / length for value in mean], rel=1e-5)
    assert len(carried[words("alpha")][DOCUMENT_SPARSE].indices) == 46
    fit = (await world.store.collection("docs")).bm25.documents
    assert (fit.avg_len, fit.tokens, fit.documents) == (32.0, 64, 2)


async def test_evidence_of_the_whole_follows_every_change(world: Any) -> None:
    await world.ingest(FIRST)
    before = await evidence(world)
    await world.ingest(guide(words("alpha"), words("beta"), words("delta")))
    after = await evidence(world)
    assert set(before) == set(after) == {words("alpha")}
    assert before[words("alpha")] != after[words("alpha")]
    await world.ingest(SECOND)
    assert set(await evidence(world)) == {words("delta")}


async def test_a_collection_from_before_holds_chunks_alone(new_world: Callable[..., Awaitable[Any]]) -> None:
    world = await new_world(whole=False)
    await world.ingest(FIRST)
    assert all(set(vectors) == {SPARSE, DENSE} for _, vectors in (await world.points()).values())
    assert (await world.store.collection("docs")).bm25.documents is None


async def test_a_profile_that_no_model_serves_is_refused(new_world: Callable[..., Awaitable[Any]]) -> None:
    world = await new_world(embedding=EmbeddingProfile("another", "1", 8, 64))
    with pytest.raises(Conflict, match="another"):
        await world.ingest(FIRST)


async def test_each_collection_is_embedded_by_its_own_profile(world: Any) -> None:
    world.embeddings = CachedEmbeddings(world.store, world.clock, EmbeddingBounds())
    world.build(lambda port: port)
    await world.ingest(FIRST)
    for name in ("other", "another"):
        await world.create(name=name, embedding=world.other.profile)
        await world.service.accept(writes(name), [FIRST])
        await world.run(world.queue.jobs[-1])
    assert len(world.embedder.embedded) == 3
    assert len(world.other.embedded) == 3, "once for the profile, however many collections have it"


async def test_a_prefix_leaves_a_chunk_less_room(new_world: Callable[..., Awaitable[Any]]) -> None:
    world = await new_world(target=200)
    await world.create(name="other", embedding=world.other.profile, target=200)
    counts = []
    for name in ("docs", "other"):
        await world.service.accept(writes(name), [Document("long", text="word " * 62, title="")])
        counts.append((await world.run(world.queue.jobs[-1]))["chunks"])
    assert counts == [1, 2]


async def test_a_document_changed_during_its_job_ends_as_last_sent(world: Any) -> None:
    await world.service.accept(writes("docs"), [FIRST])
    first = world.queue.jobs[-1]
    upsert = world.engine.upsert

    async def upsert_late(name: str, points: Any) -> None:
        world.engine.upsert = upsert
        await world.ingest(SECOND)
        await upsert(name, points)

    world.engine.upsert = upsert_late
    await world.run(first)
    assert await world.texts() == {words("delta"), words("beta"), words("epsilon")}


async def test_average_length_is_fitted_and_refitted_on_drift(world: Any) -> None:
    await world.ingest(FIRST)
    fit = (await world.store.collection("docs")).bm25
    assert (fit.avg_len, fit.tokens, fit.chunks) == (16.0, 48, 3)
    await world.ingest(*(guide("Tiny.", id=f"tiny{n}") for n in range(9)))
    job = world.queue.jobs[-1]
    assert job.kind == "refit"
    embedded = len(world.embedder.embedded)
    await world.run(job)
    fit = (await world.store.collection("docs")).bm25
    assert (fit.avg_len, fit.tokens, fit.chunks) == (5.5, 66, 12)
    assert (fit.documents.avg_len, fit.documents.tokens, fit.documents.documents) == (6.6, 66, 10)
    assert not has_drifted(fit)
    assert len(world.embedder.embedded) == embedded


async def test_a_collection_is_refitted_at_once_where_it_has_drifted(world: Any) -> None:
    await world.ingest(FIRST)
    assert not await refit_now(world.indexer, "docs")
    await world.ingest(*(guide("Tiny.", id=f"tiny{n}") for n in range(9)))
    assert await refit_now(world.indexer, "docs")
    assert (await world.store.collection("docs")).bm25.avg_len == 5.5
    with pytest.raises(CollectionNotFound):
        await refit_now(world.indexer, "absent")


async def test_a_survey_counts_what_an_ingest_then_does(world: Any) -> None:
    world.embeddings = CachedEmbeddings(world.store, world.clock, EmbeddingBounds())
    world.build(lambda port: port)
    await world.ingest(FIRST, guide(words("eta"), id="other"))
    await world.create(name="small", target=8)
    profile = world.embedder.profile
    surveyor = Surveyor(world.store, Embedders(profile, [world.source]), world.embeddings)
    same = (await world.store.collection("docs")).profile
    known = await surveyor.survey("docs", same, profile)
    assert (known.sampled, known.tokens_to_embed) == (2, 0)
    wanted = await surveyor.survey("docs", (await world.store.collection("small")).profile, profile)
    await world.service.accept(writes("small"), [FIRST, guide(words("eta"), id="other")])
    counts = await world.run(world.queue.jobs[-1])
    assert (wanted.chunks, wanted.tokens_to_embed) == (counts["chunks"], counts["embedded_tokens"])


async def test_the_same_corpus_in_another_collection_embeds_nothing(world: Any) -> None:
    world.embeddings = CachedEmbeddings(world.store, world.clock, EmbeddingBounds())
    world.build(lambda port: port)
    await world.ingest(FIRST)
    await world.create(name="copy")
    world.embedder.embedded.clear()
    accepted = await world.service.accept(writes("copy"), [FIRST])
    counts = await world.run(world.queue.jobs[-1])
    assert (accepted.accepted, counts["embedded"], counts["reused"]) == (1, 0, 3)
    assert world.embedder.embedded == []
    original = [vectors for _, vectors in (await world.points()).values()]
    copy = await world.engine.scroll("copy", limit=10, with_vectors=True)
    assert sorted(v[DENSE].tolist() for v in original) == sorted(p.vectors[DENSE].tolist() for p in copy.points)


async def test_known_vectors_are_used_while_the_embedder_is_away(world: Any) -> None:
    world.embeddings = CachedEmbeddings(world.store, world.clock, EmbeddingBounds())
    world.build(lambda port: port)
    await world.ingest(FIRST)
    await world.create(name="copy")
    world.embedder.away = True
    await world.service.accept(writes("copy"), [guide(words("alpha"), words("zeta"), words("gamma"))])
    counts = await world.run(world.queue.jobs[-1])
    assert (counts["reused"], counts["without_dense"]) == (2, 1)


async def test_a_job_of_a_collection_that_is_gone_ends_quietly(world: Any) -> None:
    await world.service.accept(writes("docs"), [FIRST])
    await world.store.remove_collection("docs")
    await world.engine.drop("docs")
    assert await world.run(world.queue.jobs[-1]) == {}


class Dying:
    """Stands before a port; the n-th call through any of them, or what follows it at once, is where the process dies."""

    def __init__(self, at: int, after: bool) -> None:
        self.left = at
        self.after = after

    def wrap(self, port: Any) -> Any:
        outer = self

        class Wrapped:
            def __getattr__(self, name: str) -> Any:
                real = getattr(port, name)
                if name in {"profile", "count_tokens"}:
                    return real

                async def call(*args: Any, **kwargs: Any) -> Any:
                    outer.left -= 1
                    if outer.left == 0 and not outer.after:
                        raise EngineUnavailable("killed before")
                    result = await real(*args, **kwargs)
                    if outer.left == 0:
                        raise EngineUnavailable("killed after")
                    return result

                return call

        return Wrapped()


async def story(world: Any, dying: Dying | None = None) -> bool:
    """An old document changes, one is deleted, one is new; give back whether the run was killed on its way."""
    await world.ingest(FIRST, guide(words("old"), id="old"))
    await world.store.mark_deleted("docs", ["old"], Job("gone", "ingest", JobState.PENDING, {}), world.clock.now())
    await world.service.accept(writes("docs"), [SECOND, guide(words("new"), words("new"), id="new")])
    job = world.queue.jobs[-1]
    job = replace(job, payload={"collection": "docs", "ids": ["old", "guide", "new"]})
    killed = False
    if dying:
        world.build(dying.wrap)
        try:
            await world.run(job)
        except EngineUnavailable:
            killed = True
        world.build(lambda port: port)
    await world.run(job)
    return killed


@pytest.mark.parametrize("after", [False, True])
async def test_killed_at_any_port_call_and_run_again_ends_as_one_clean_run(
    new_world: Callable[..., Awaitable[Any]], after: bool
) -> None:
    clean = await new_world()
    await story(clean)
    expected = await clean.points()
    standing = [
        (s.document, s.indexed_revision == s.revision, s.chunks, s.error, s.pipeline)
        for s in (await clean.store.list_documents("docs", limit=100)).documents
    ]
    assert len(expected) == 5
    calls = 1
    while True:
        world = await new_world()
        killed = await story(world, Dying(calls, after))
        assert await world.points() == expected, f"killed at call {calls}"
        assert [
            (s.document, s.indexed_revision == s.revision, s.chunks, s.error, s.pipeline)
            for s in (await world.store.list_documents("docs", limit=100)).documents
        ] == standing
        assert await world.store.documents("docs", ["old"]) == []
        if not killed:
            break
        calls += 1
    assert calls > 8
