"""A document collection over the memory engine and an in-memory control store, with an embedder that counts."""

from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Any

import pytest
from msgspec.structs import replace
from passes import writes

from vectis.adapters.absent.embeddings import NoEmbeddings
from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.edge.bm25 import EdgeBm25
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.embedders import MemoryEmbedders
from vectis.adapters.memory.engine import MemoryEngine
from vectis.adapters.memory.versions import MemoryVersions
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.collections import Collection
from vectis.domain.divergences import Divergences
from vectis.domain.documents import Document
from vectis.domain.embedders import Embedders
from vectis.domain.errors import EmbedderUnavailable
from vectis.domain.jobs import Job, JobProgress, JobState
from vectis.domain.points import Dense
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.profiles import (
    DENSE,
    DOCUMENT_DENSE,
    DOCUMENT_SPARSE,
    SPARSE,
    Chunking,
    CollectionProfile,
    EmbeddingProfile,
)
from vectis.domain.schema import CollectionSchema, DenseParams, PayloadIndexKind, SparseParams
from vectis.ingest.batches import Memory
from vectis.ingest.indexer import Indexer
from vectis.ingest.jobs import ingest_handler, refit_handler
from vectis.ingest.service import IngestService

PROFILE = EmbeddingProfile(model="letters", revision="1", dimension=8, max_tokens=64)


class LetterEmbedder:
    """Vectors from a hash of the text; remembers what it embedded; `away`: no answers."""

    def __init__(self, profile: EmbeddingProfile) -> None:
        self.profile = profile
        self.embedded: list[str] = []
        self.away = False

    async def embed_documents(self, texts: Sequence[str]) -> list[Dense]:
        if self.away:
            raise EmbedderUnavailable("the embedder is away")
        self.embedded += texts
        return [self._vector(text) for text in texts]

    async def embed_query(self, text: str) -> Dense:
        return self._vector(text)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def _vector(self, text: str) -> Dense:
        raw = [1.0 + byte for byte in blake2b(text.encode(), digest_size=8).digest()]
        norm = sum(value * value for value in raw) ** 0.5
        return array("f", [value / norm for value in raw])


class Collected:
    """A job context that keeps what is reported."""

    def __init__(self) -> None:
        self.progress = JobProgress()

    async def report(self, progress: JobProgress) -> None:
        self.progress = progress


class Submitted:
    """A queue that only remembers; the tests run the jobs."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def submit(self, job: Job) -> None:
        self.jobs.append(job)

    async def wait(self, job_id: str, timeout_s: float) -> Job:
        raise NotImplementedError


class World:
    """Everything ingest touches, and what the tests do with it. `wrap` stands between ingest and a port."""

    def __init__(self, store: SqlStore, wrap: Callable[[Any], Any] = lambda port: port) -> None:
        self.store = store
        self.engine = MemoryEngine()
        self.embedder = LetterEmbedder(PROFILE)
        self.other = LetterEmbedder(replace(PROFILE, document_prefix="d: "))
        self.embeddings: EmbeddingCache = NoEmbeddings()
        self.queue = Submitted()
        self.clock = ManualClock()
        self.source = MemoryEmbedders()
        self.build(wrap)

    def build(self, wrap: Callable[[Any], Any]) -> None:
        self.source = MemoryEmbedders(wrap(self.embedder), wrap(self.other))
        queue, clock = wrap(self.queue), self.clock
        self.service = IngestService(
            store=wrap(self.store),
            directory=CachedDirectory(self.store, clock, MemoryVersions()),
            queue=queue,
            divergences=Divergences(wrap(self.store), clock),
            clock=clock,
        )
        self.indexer = Indexer(
            store=wrap(self.store),
            points=wrap(self.engine),
            embedders=Embedders(PROFILE, [self.source]),
            embeddings=self.embeddings,
            sparse=EdgeBm25(),
            memory=lambda: Memory(8, 8),
        )
        self.handlers = {"ingest": ingest_handler(self.indexer, queue, clock), "refit": refit_handler(self.indexer)}

    async def create(
        self,
        name: str = "docs",
        *,
        embedding: EmbeddingProfile | None = PROFILE,
        target: int = 20,
        whole: bool = True,
        spellings: bool = False,
    ) -> None:
        schema = CollectionSchema(
            dense={DENSE: DenseParams(size=8), **({DOCUMENT_DENSE: DenseParams(size=8)} if whole else {})},
            sparse={SPARSE: SparseParams(), **({DOCUMENT_SPARSE: SparseParams()} if whole else {})},
            quantization=None,
            payload_indexes={"document_id": PayloadIndexKind.KEYWORD},
        )
        profile = CollectionProfile(
            "documents", schema, embedding, Chunking(target=target, overlap=0), spellings=spellings
        )
        await self.store.add_collection(Collection(name, profile, self.clock.now()))
        await self.engine.create(name, schema)

    async def run(self, job: Job) -> dict[str, int]:
        context = Collected()
        await self.handlers[job.kind](job, context)
        await self.store.keep_job(replace(job, state=JobState.DONE), failures=0, held_until=None)
        return context.progress.counts

    async def ingest(self, *documents: Document) -> dict[str, int]:
        """Accept, run the job, give back its counts (all zero when there was nothing to do)."""
        accepted = await self.service.accept(writes("docs"), documents)
        assert not accepted.refused
        return await self.run(self.queue.jobs[-1]) if accepted.job_id else {}

    async def points(self) -> dict[Any, Any]:
        page = await self.engine.scroll("docs", limit=10_000, with_vectors=True)
        return {point.id: (point.payload, point.vectors) for point in page.points}

    async def texts(self) -> set[str]:
        return {payload["text"] for payload, _ in (await self.points()).values()}


@pytest.fixture
async def new_world() -> AsyncIterator[Callable[..., Awaitable[World]]]:
    stores: list[SqlStore] = []

    async def make(**wishes: Any) -> World:
        store = await open_store("sqlite:///:memory:")
        stores.append(store)
        world = World(store)
        await world.create(**wishes)
        return world

    yield make
    for store in stores:
        await store.close()


@pytest.fixture
async def world(new_world: Callable[..., Awaitable[World]]) -> World:
    return await new_world()
