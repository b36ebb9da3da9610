"""The catalog over a real SQLite store and the memory engine."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from passes import deletes, reads, reads_all, writes

from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.durable.queue import LedgerQueue
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.embedders import MemoryEmbedders
from vectis.adapters.memory.engine import MemoryEngine
from vectis.adapters.memory.versions import MemoryVersions
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.catalog.profiles import DOCUMENT, VECTORS, Recipes, Wishes, document_profile, tailored, vectors_profile
from vectis.catalog.service import CatalogService
from vectis.domain.access import ANYONE, SYSTEM, Caller, Permission, authorize
from vectis.domain.embedders import Embedders
from vectis.domain.errors import (
    CollectionExists,
    CollectionNotFound,
    Conflict,
    InvalidInput,
    InvalidName,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from vectis.domain.jobs import MAINTENANCE_QUEUE, JobState
from vectis.domain.points import Point, dense
from vectis.domain.profiles import Chunking, EmbeddingProfile, EmbeddingWishes, Scores, SearchSettings
from vectis.domain.routes import RoutePlan, Target
from vectis.domain.schema import DenseParams, HnswParams, PayloadIndexKind, SparseParams

EMBEDDING = EmbeddingProfile("m", "r", 384, 256)
OTHER = EmbeddingProfile("other", "r", 8, 64)
SMALL = Wishes(dense={"dense": DenseParams(size=4)}, quantization=None)


class Named:
    """An embedder that is never asked."""

    def __init__(self, profile: EmbeddingProfile) -> None:
        self.profile = profile


class House:
    """A catalog and what it keeps in step."""

    def __init__(self, store: SqlStore, engine: MemoryEngine) -> None:
        clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.store = store
        self.engine = engine
        self.clock = clock
        self.needed_by: dict[str, str] = {}
        self.directory = CachedDirectory(store, clock, MemoryVersions())
        self.catalog = CatalogService(
            store=store,
            queue=LedgerQueue(store, clock),
            admin=engine,
            directory=self.directory,
            recipes=Recipes(Embedders(EMBEDDING, [MemoryEmbedders(Named(EMBEDDING), Named(OTHER))])),
            clock=clock,
            keepers=[self._needed],
        )

    async def _needed(self, name: str) -> str | None:
        return self.needed_by.get(name)

    async def with_a_point(self, name: str) -> None:
        await self.catalog.create(writes(name), VECTORS, SMALL)
        await self.engine.upsert(name, [Point(1, {"dense": dense([1, 0, 0, 0])}, {})])


@pytest.fixture
async def house() -> AsyncIterator[House]:
    store = await open_store("sqlite:///:memory:")
    yield House(store, MemoryEngine())
    await store.close()


async def test_create_describe_list_delete(house: House) -> None:
    made = await house.catalog.create(writes("a"), VECTORS, SMALL)
    assert made.state.points == 0
    assert made.collection.profile.schema.dense["dense"].size == 4
    assert [d.collection.name for d in await house.catalog.collections(reads_all())] == ["a"]
    await house.catalog.delete(deletes("a"), grace_minutes=0)
    assert await house.engine.names() == []
    assert await house.store.collection("a") is None
    assert [job.state for job in await house.store.jobs(limit=9)] == [JobState.CANCELLED]
    with pytest.raises(CollectionNotFound):
        await house.catalog.describe(reads("a"))


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "ü", "x" * 129, "..", "_a"])
async def test_names_that_are_not_allowed(house: House, name: str) -> None:
    with pytest.raises(InvalidName):
        await house.catalog.create(writes(name), VECTORS, SMALL)
    assert await house.engine.names() == []


async def test_a_name_is_given_once(house: House) -> None:
    await house.catalog.create(writes("a"), VECTORS, SMALL)
    with pytest.raises(CollectionExists):
        await house.catalog.create(writes("a"), VECTORS, SMALL)
    await house.catalog.set_alias(writes("public"), writes("a"))
    with pytest.raises(CollectionExists):
        await house.catalog.create(writes("public"), VECTORS, SMALL)
    assert await house.engine.names() == ["a"]


async def test_an_unknown_profile_names_the_known_ones(house: House) -> None:
    with pytest.raises(NotFound, match=VECTORS):
        await house.catalog.create(writes("a"), "wild", SMALL)


async def test_what_the_engine_refuses_leaves_no_record(house: House) -> None:
    from_default = Wishes(dense={"dense": DenseParams(size=4)})  # quantization, which the memory engine lacks
    with pytest.raises(InvalidInput):
        await house.catalog.create(writes("a"), VECTORS, from_default)
    assert await house.store.collection("a") is None


async def test_aliases_move_in_one_step_and_the_engine_follows(house: House) -> None:
    for name in ("a", "b"):
        await house.catalog.create(writes(name), VECTORS, SMALL)
    first = await house.catalog.set_alias(writes("public"), writes("a"))
    second = await house.catalog.set_alias(writes("public"), writes("b"))
    assert second.version > first.version
    assert await house.engine.aliases() == {"public": "b"}
    assert (await house.catalog.describe(reads("public"))).collection.name == "b"
    with pytest.raises(Conflict, match="public"):
        await house.catalog.delete(deletes("b"))
    await house.catalog.delete_alias(writes("public"))
    assert await house.engine.aliases() == {}
    with pytest.raises(NotFound):
        await house.catalog.delete_alias(writes("public"))
    with pytest.raises(CollectionNotFound):
        await house.catalog.set_alias(writes("public"), writes("nowhere"))


async def test_reconcile_mends_what_a_kill_left(house: House) -> None:
    await house.catalog.create(writes("kept"), VECTORS, SMALL)
    await house.catalog.create(writes("lost"), VECTORS, SMALL)
    await house.catalog.set_alias(writes("public"), writes("kept"))
    await house.engine.apply_aliases({})
    await house.engine.drop("lost")
    await house.engine.create("orphan", tailored(vectors_profile(), SMALL).schema)
    await house.catalog.reconcile(authorize(SYSTEM, Permission.SYSTEM_CONFIG))
    assert await house.engine.names() == ["kept", "lost"]
    assert await house.engine.aliases() == {"public": "kept"}
    await house.catalog.reconcile(authorize(SYSTEM, Permission.SYSTEM_CONFIG))
    assert await house.engine.names() == ["kept", "lost"]


async def test_payload_indexes_are_bounded_and_named(house: House) -> None:
    await house.catalog.create(writes("a"), VECTORS, SMALL)
    await house.catalog.create_index(writes("a"), "language", PayloadIndexKind.KEYWORD)
    await house.catalog.create_index(writes("a"), "language", PayloadIndexKind.KEYWORD)
    assert (await house.catalog.describe(reads("a"))).state.payload_indexes == {"language": PayloadIndexKind.KEYWORD}
    with pytest.raises(InvalidInput):
        await house.catalog.create_index(writes("a"), " ", PayloadIndexKind.KEYWORD)


@pytest.mark.parametrize(
    ("wishes", "error", "says"),
    [
        (Wishes(dense={}, sparse={}), InvalidInput, "at least one"),
        (Wishes(dense={"d": DenseParams(size=0)}), InvalidInput, "vectors.d.size"),
        (Wishes(dense={"d": DenseParams(size=70_000)}), LimitExceeded, "65536"),
        (Wishes(dense={"v": DenseParams()}, sparse={"v": SparseParams()}), InvalidInput, "dense vector already"),
        (Wishes(hnsw=HnswParams(m=1000)), InvalidInput, "hnsw.m"),
        (Wishes(chunking=Chunking(target=4)), InvalidInput, "chunking.target"),
        (Wishes(search=SearchSettings(prefetch_documents=0)), InvalidInput, "search.prefetch_documents"),
        (Wishes(search=SearchSettings(fusion=Scores(dense=-1))), InvalidInput, "search.fusion.dense"),
        (Wishes(chunking=Chunking(target=100, overlap=90)), InvalidInput, "chunking.overlap"),
        (Wishes(spellings=True), InvalidInput, "spellings: the collection holds its callers' own vectors"),
        (
            Wishes(payload_indexes={f"k{i}": PayloadIndexKind.KEYWORD for i in range(65)}),
            LimitExceeded,
            "payload_indexes",
        ),
    ],
)
def test_wishes_that_cannot_be(wishes: Wishes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        tailored(vectors_profile(), wishes)


def test_the_defaults_are_those_for_documentation() -> None:
    schema = vectors_profile().schema
    assert msgspec.to_builtins(schema.dense["dense"]) == {"size": 768, "distance": "Cosine", "on_disk": False}
    assert schema.sparse["sparse"].full_scan_threshold == 5000
    assert (schema.hnsw.m, schema.hnsw.ef_construct, schema.hnsw.full_scan_threshold) == (16, 200, 10_000)
    assert schema.quantization is not None
    assert (schema.quantization.quantile, schema.quantization.always_ram) == (0.99, True)
    optimizers = msgspec.to_builtins(schema.optimizers)
    assert optimizers == {
        "deleted_threshold": 0.2,
        "vacuum_min_vector_number": 1000,
        "default_segment_number": 4,
        "max_segment_size": 200_000,
        "memmap_threshold": 50_000,
        "indexing_threshold": 20_000,
        "flush_interval_sec": 5,
        "max_optimization_threads": 0,
    }


def test_documents_are_indexed_by_what_they_are_filtered_by() -> None:
    profile = document_profile(EMBEDDING)
    assert profile.schema.payload_indexes["last_updated"] is PayloadIndexKind.DATETIME
    assert profile.schema.payload_indexes["difficulty_level"] is PayloadIndexKind.INTEGER
    assert {"language", "framework", "doc_type", "version", "document_id"} <= set(profile.schema.payload_indexes)


def test_documents_are_spelled_otherwise_too_unless_it_is_unwished() -> None:
    profile = document_profile(EMBEDDING)
    assert profile.spellings
    assert not tailored(profile, Wishes(spellings=False)).spellings
    assert not tailored(tailored(profile, Wishes(spellings=False)), Wishes()).spellings


async def test_an_alias_stays_within_its_tenant(house: House) -> None:
    for name in ("a~docs", "b~docs", "docs"):
        await house.catalog.create(writes(name), VECTORS, SMALL)
    for alias, name in (("a~public", "b~docs"), ("public", "a~docs"), ("a~public", "docs")):
        with pytest.raises(InvalidInput, match="one tenant"):
            await house.catalog.set_alias(writes(alias), writes(name))
    await house.catalog.set_alias(writes("a~public"), writes("a~docs"))
    a, b = (Caller(name=tenant, rights=ANYONE.rights, tenant=tenant) for tenant in "ab")
    assert [d.collection.name for d in await house.catalog.collections(reads_all(a))] == ["a~docs"]
    assert [route.alias for route in await house.catalog.aliases(reads_all(a))] == ["a~public"]
    assert await house.catalog.aliases(reads_all(b)) == []
    assert (await house.catalog.describe(reads("public", a))).collection.name == "a~docs"
    with pytest.raises(CollectionNotFound):
        await house.catalog.describe(reads("public", b))


async def test_optimizing_later_is_a_job_of_the_collection_behind_the_name(house: House) -> None:
    await house.catalog.create(writes("a"), VECTORS, SMALL)
    await house.catalog.set_alias(writes("public"), writes("a"))
    job = await house.store.job(await house.catalog.optimize_later(writes("public")))
    assert job is not None
    assert (job.collection, job.queue) == ("a", MAINTENANCE_QUEUE)
    assert await house.catalog.optimize_later(writes("a")) == job.id, "asked for twice, the job that waits will do"
    with pytest.raises(PermissionDenied):
        await house.catalog.optimize_later(reads("a"))


async def test_a_deleted_collection_is_hidden_at_once_and_comes_back_whole(house: House) -> None:
    await house.with_a_point("a")
    deletion = await house.catalog.delete(deletes("a"))
    assert deletion.due_at - deletion.at == timedelta(hours=1)
    assert await house.catalog.collections(reads_all()) == []
    (hidden,) = await house.catalog.collections(reads_all(), deleted=True)
    assert (hidden.collection.name, hidden.collection.deletion, hidden.state.points) == ("a", deletion, 1)
    for use in (
        house.catalog.describe(reads("a")),
        house.catalog.delete(deletes("a")),
        house.catalog.optimize(writes("a")),
    ):
        with pytest.raises(CollectionNotFound):
            await use
    with pytest.raises(CollectionNotFound):
        await house.catalog.set_alias(writes("public"), writes("a"))
    await house.catalog.reconcile(authorize(SYSTEM, Permission.SYSTEM_CONFIG))
    assert await house.engine.names() == ["a"]
    back = await house.catalog.undelete(deletes("a"))
    assert (back.state.points, back.collection.deletion) == (1, None)
    job = await house.store.job(deletion.job_id)
    assert job is not None
    assert (job.state, job.due_at) == (JobState.CANCELLED, None)
    assert not await house.catalog.remove(deletes("a"), deletion.job_id)
    with pytest.raises(CollectionNotFound, match="no deleted collection"):
        await house.catalog.undelete(deletes("a"))
    assert await house.engine.names() == ["a"]


async def test_the_job_removes_what_it_was_recorded_for_and_nothing_else(house: House) -> None:
    await house.with_a_point("a")
    first = await house.catalog.delete(deletes("a"))
    await house.catalog.undelete(deletes("a"))
    second = await house.catalog.delete(deletes("a"))
    assert not await house.catalog.remove(deletes("a"), first.job_id)
    assert await house.catalog.remove(deletes("a"), second.job_id)
    assert await house.engine.names() == []
    assert await house.catalog.collections(reads_all(), deleted=True) == []
    assert not await house.catalog.remove(deletes("a"), second.job_id)


async def test_a_name_in_its_grace_is_given_to_whoever_asks_and_nothing_old_is_found_there(house: House) -> None:
    await house.with_a_point("a")
    deletion = await house.catalog.delete(deletes("a"))
    assert (await house.catalog.create(writes("a"), VECTORS, SMALL)).state.points == 0
    assert not await house.catalog.remove(deletes("a"), deletion.job_id)
    assert (await house.catalog.describe(reads("a"))).state.points == 0
    await house.catalog.delete(deletes("a"))
    await house.catalog.create(writes("b"), VECTORS, SMALL)
    await house.catalog.set_alias(writes("a"), writes("b"))
    assert (await house.catalog.describe(reads("a"))).collection.name == "b"
    assert await house.engine.names() == ["b"]


async def test_what_is_needed_is_not_deleted_and_asked_again_before_it_is_removed(house: House) -> None:
    await house.with_a_point("a")
    house.needed_by["a"] = "rollout 7 goes back to it"
    with pytest.raises(Conflict, match="rollout 7"):
        await house.catalog.delete(deletes("a"))
    del house.needed_by["a"]
    deletion = await house.catalog.delete(deletes("a"))
    house.needed_by["a"] = "rollout 8 goes back to it"
    with pytest.raises(Conflict, match="rollout 8"):
        await house.catalog.remove(deletes("a"), deletion.job_id)
    with pytest.raises(Conflict, match="rollout 8"):
        await house.catalog.create(writes("a"), VECTORS, SMALL)
    assert (await house.catalog.undelete(deletes("a"))).state.points == 1


async def test_one_process_removes_and_one_that_died_over_it_holds_nobody_up_for_long(house: House) -> None:
    await house.with_a_point("a")
    deletion = await house.catalog.delete(deletes("a"))
    now = house.clock.now()
    assert await house.store.take_removal("a", deletion.job_id, now=now, until=now + timedelta(minutes=1))
    with pytest.raises(Unavailable, match="just now"):
        await house.catalog.remove(deletes("a"), deletion.job_id)
    with pytest.raises(CollectionNotFound):
        await house.catalog.undelete(deletes("a"))
    house.clock.advance(61)
    assert await house.catalog.remove(deletes("a"), deletion.job_id)


async def test_an_alias_stays_as_it_is_while_a_collection_follows_it(house: House) -> None:
    """In its rollout's grace: set by hand it would lose the follower, and undo would go back to one that missed writes."""
    for name in ("a", "b"):
        await house.catalog.create(writes(name), VECTORS, SMALL)
    route = await house.catalog.set_alias(writes("live"), writes("a"))
    await house.catalog.set_plan(
        writes("live"), RoutePlan((Target("a"),), followers=("b",)), read_version=route.version
    )
    for change in (house.catalog.set_alias(writes("live"), writes("b")), house.catalog.delete_alias(writes("live"))):
        with pytest.raises(Conflict, match="until the grace of its rollout is over"):
            await change
    (kept,) = await house.catalog.aliases(reads_all())
    assert kept.plan.written == ("a", "b")


async def test_search_settings_are_changed_and_taken_back(house: House) -> None:
    await house.catalog.create(writes("a"), VECTORS, SMALL)
    await house.catalog.set_alias(writes("live"), writes("a"))
    wide = SearchSettings(limit=50)
    changed = await house.catalog.configure(writes("live"), wide, "more", read_version=1)
    assert (changed.after.number, changed.after.author, changed.after.description) == (2, "anyone", "more")
    assert (await house.directory.resolve("a")).collection.profile.search == wide
    back = await house.catalog.roll_settings_back(writes("a"))
    assert back.after.settings == SearchSettings()
    assert (await house.directory.resolve("a")).collection.profile.search == SearchSettings()
    assert (await house.catalog.roll_settings_back(writes("a"), 2)).after.settings == wide
    told = await house.catalog.settings_history(reads("live"))
    assert [(v.number, v.description) for v in told] == [
        (4, "back to version 2"), (3, "back to version 1"), (2, "more"), (1, "as it was created"),
    ]  # fmt: skip


async def test_search_settings_that_cannot_be_are_refused(house: House) -> None:
    await house.catalog.create(writes("a"), VECTORS, SMALL)
    with pytest.raises(InvalidInput, match=r"search\.limit"):
        await house.catalog.configure(writes("a"), SearchSettings(limit=0))
    with pytest.raises(LimitExceeded, match="description"):
        await house.catalog.configure(writes("a"), SearchSettings(limit=5), "x" * 1001)
    with pytest.raises(NotFound, match="go back to"):
        await house.catalog.roll_settings_back(writes("a"))
    with pytest.raises(PermissionDenied):
        await house.catalog.configure(reads("a"), SearchSettings(limit=5))
    assert len(await house.catalog.settings_history(reads("a"))) == 1


async def test_a_collection_of_another_embedding_profile_has_room_for_its_vectors(house: House) -> None:
    described = await house.catalog.create(
        writes("other"), DOCUMENT, Wishes(embedding=EmbeddingWishes(model="other"), quantization=None)
    )
    profile = described.collection.profile
    assert profile.embedding == OTHER
    assert {name: params.size for name, params in profile.schema.dense.items()} == {"dense": 8, "document_dense": 8}
    with pytest.raises(InvalidInput, match=r"embedding\.model"):
        await house.catalog.create(writes("x"), DOCUMENT, Wishes(embedding=EmbeddingWishes(model="absent")))
    with pytest.raises(InvalidInput, match="own vectors"):
        await house.catalog.create(writes("x"), VECTORS, Wishes(embedding=EmbeddingWishes(max_tokens=8)))
