"""The job kinds of ingest: indexing documents, and making the BM25 vectors of a collection anew."""

from collections.abc import AsyncIterator, Sequence
from uuid import NAMESPACE_URL, uuid5

import msgspec

from vectis.domain.collections import Collection
from vectis.domain.errors import CollectionNotFound, EmbedderUnavailable
from vectis.domain.jobs import Job, JobProgress, JobState
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.jobs import JobContext, JobHandler, JobQueue
from vectis.ingest.indexer import Indexer, Run
from vectis.ingest.lengths import has_drifted, true_average
from vectis.ingest.service import INGEST

REFIT = "refit"
"""Makes all BM25 vectors of a collection for another average length. Payload: {"collection": name, "avg_len": number}."""

DOCUMENTS_PER_PAGE = 64
JOBS_LOOKED_AT_MAX = 1000


def ingest_handler(indexer: Indexer, queue: JobQueue, clock: Clock) -> JobHandler:
    """The handler of `ingest` jobs (payload {"collection": name, "ids": [...]}). Idempotent; safe to kill anywhere.

    Progress counts documents, chunks, embedded, reused, removed, failed and without_dense, and the milliseconds of each part.
    """

    async def run(job: Job, context: JobContext) -> None:
        name, ids = job.payload["collection"], job.payload["ids"]
        collection = await indexer.store.collection(name)
        if collection is None:
            return
        work = await indexer.begin(collection)
        try:
            async for documents, done in indexer.slices(name, ids):
                await indexer.index(work, documents)
                await context.report(_progress(done, len(ids), work))
        except CollectionNotFound:
            if await indexer.store.collection(name) is None:
                return
            raise
        await _refit_on_drift(indexer, queue, clock, name, job)

    return run


async def index_now(indexer: Indexer, name: str, ids: Sequence[str]) -> dict[str, int]:
    """Index these documents here and now; what was done, as an `ingest` job counts it. Idempotent.

    Raises CollectionNotFound, Conflict, and EmbedderUnavailable when one stays without dense vectors.
    """
    collection = await indexer.store.collection(name)
    if collection is None:
        raise CollectionNotFound(f"there is no collection {name!r}", collection=name)
    work = await indexer.begin(collection)
    async for documents, _ in indexer.slices(name, ids):
        await indexer.index(work, documents)
    if work.counts.without_dense:
        raise EmbedderUnavailable(f"{work.counts.without_dense} chunks of {name!r} have no dense vector yet")
    return _progress(len(ids), len(ids), work).counts


async def refit_now(indexer: Indexer, name: str) -> bool:
    """Make all BM25 vectors of a collection for its true average length when those that it has drifted; whether they did.

    Raises CollectionNotFound.
    """
    collection = await indexer.store.collection(name)
    if collection is None:
        raise CollectionNotFound(f"there is no collection {name!r}", collection=name)
    if collection.bm25 is None or not has_drifted(collection.bm25):
        return False
    async for _ in _refitted(indexer, collection, true_average(collection.bm25)):
        pass
    return True


def refit_handler(indexer: Indexer) -> JobHandler:
    """The handler of `refit` jobs: every document is indexed again with its dense vectors reused. Idempotent.

    Going by documents and not by points, it cannot bring back a chunk that an ingest at the same time removes.
    """

    async def run(job: Job, context: JobContext) -> None:
        name = job.payload["collection"]
        collection = await indexer.store.collection(name)
        if collection is not None:
            async for work in _refitted(indexer, collection, job.payload["avg_len"]):
                await context.report(_progress(work.counts.documents, 0, work))

    return run


async def _refitted(indexer: Indexer, collection: Collection, avg_len: float) -> AsyncIterator[Run]:
    """Index every document again for another average length, giving the run after each page."""
    await indexer.lengths.fit(collection.name, avg_len)
    work = await indexer.begin(collection, everything=True)
    offset: str | None = None
    while True:
        page = await indexer.store.list_documents(collection.name, limit=DOCUMENTS_PER_PAGE, offset=offset)
        await indexer.index(work, page.documents)
        yield work
        offset = page.next_offset
        if offset is None:
            break
    await indexer.lengths.settle(collection.name, work.lengths, work.document_lengths)


async def _refit_on_drift(indexer: Indexer, queue: JobQueue, clock: Clock, name: str, job: Job) -> None:
    """Submit a refit when the average has drifted and no other ingest of the collection is waiting to move it further."""
    collection: Collection | None = await indexer.store.collection(name)
    if collection is None or collection.bm25 is None or not has_drifted(collection.bm25):
        return
    unfinished = await indexer.store.unfinished_jobs(limit=JOBS_LOOKED_AT_MAX)
    others = (other for other in unfinished if other.id != job.id and other.payload.get("collection") == name)
    if any(other.kind in (INGEST, REFIT) for other in others):
        return
    payload = {"collection": name, "avg_len": true_average(collection.bm25)}
    refit = Job(
        str(uuid5(NAMESPACE_URL, f"vectis:refit:{job.id}")),
        REFIT,
        JobState.PENDING,
        payload,
        created_at=clock.now(),
    )
    await indexer.store.record_job(refit)
    await queue.submit(refit)


def _progress(done: int, total: int, work: Run) -> JobProgress:
    spent = {f"{part}_ms": round(1000 * seconds) for part, seconds in work.seconds.items()}
    return JobProgress(done, total, "documents", {**msgspec.to_builtins(work.counts), **spent})
