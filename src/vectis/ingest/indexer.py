"""Making documents searchable: parse, cut, embed what is new, write, remove what is gone. Jobs and requests are elsewhere.

Every step may be cut off and begun again: ids come from the content, so a repetition overwrites.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

import msgspec
from msgspec.structs import replace

from vectis.domain.collections import Collection
from vectis.domain.documents import DOCUMENT_ID, Document
from vectis.domain.embedders import Embedders
from vectis.domain.errors import EmbedderUnavailable, UnreadableDocument
from vectis.domain.filters import Condition, Filter, any_of
from vectis.domain.points import Dense, Point, PointId, Record, SparseVector, Vectors
from vectis.domain.ports.control import CollectionStore, DocumentStore, JobLedger, StoredDocument
from vectis.domain.ports.embedder import Embedder, SparseEncoder
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.ports.engine import PointReader, PointWriter
from vectis.domain.profiles import DENSE, DOCUMENT_DENSE, DOCUMENT_SPARSE, SPARSE
from vectis.domain.spelling import words_of
from vectis.ingest.batches import Memory, batch_size
from vectis.ingest.lengths import LengthStatistics
from vectis.ingest.memory import machine_memory
from vectis.ingest.parse.document import parse_document
from vectis.ingest.pipeline import PreparedChunk, fingerprint, is_current, prepare
from vectis.ingest.split import CountTokens, count_words
from vectis.ingest.whole import WholeDocument, wholes

CHARACTERS_PER_SLICE = 256_000
"""Where a slice ends, however few its documents: what is done shows every few seconds, and a kill costs no more."""
DOCUMENTS_PER_READ = 32
CHUNKS_PER_WRITE = 512
NOTHING: Vectors = {}


class IngestStore(CollectionStore, DocumentStore, JobLedger, Protocol):
    """The parts of the control store that ingest needs."""


class Points(PointWriter, PointReader, Protocol):
    """The parts of the engine that ingest needs."""


class IndexCounts(msgspec.Struct):
    """What a run did. `embedded_tokens` are those of the `embedded` chunks.

    `without_dense` chunks are found by BM25 alone until their document is ingested again.
    """

    documents: int = 0
    chunks: int = 0
    embedded: int = 0
    embedded_tokens: int = 0
    reused: int = 0
    removed: int = 0
    failed: int = 0
    without_dense: int = 0


class Run(msgspec.Struct):
    """One job's way through the documents of a collection.

    `embedder` None: it is away. `everything` also takes documents that are searchable as sent; `lengths` and
    `document_lengths` are then those of all. `seconds` is where the time went: parse, chunk, embed, sparse (the BM25
    vectors), write (to the engine and the store).
    """

    collection: Collection
    pipeline: str
    count: CountTokens
    embedder: Embedder | None
    everything: bool = False
    counts: IndexCounts = msgspec.field(default_factory=IndexCounts)
    lengths: list[int] = []
    document_lengths: list[int] = []
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, part: str) -> Generator[None]:
        """Add the time of the block to `part`."""
        began = monotonic()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + monotonic() - began


class _Cut(msgspec.Struct):
    """A document on its way: its chunks, or why it has none; `complete` when every chunk has its dense vector."""

    stored: StoredDocument
    chunks: list[PreparedChunk] = []
    error: str | None = None
    complete: bool = True


class Indexer:
    """Writes the chunks of documents to the engine and says so in the store."""

    def __init__(
        self,
        *,
        store: IngestStore,
        points: Points,
        embedders: Embedders,
        embeddings: EmbeddingCache,
        sparse: SparseEncoder,
        memory: Callable[[], Memory] = machine_memory,
    ) -> None:
        self.store = store
        self.lengths = LengthStatistics(store)
        self._points = points
        self._embedders = embedders
        self._embeddings = embeddings
        self._sparse = sparse
        self._memory = memory

    async def begin(self, collection: Collection, *, everything: bool = False) -> Run:
        """A run over `collection`. Conflict when no model of this server makes the vectors that the collection was made for."""
        pipeline, wanted = fingerprint(collection.profile), collection.profile.embedding
        try:
            embedder = None if wanted is None else await self._embedders.of(wanted)
        except EmbedderUnavailable:
            embedder = None
        # Without it cut by words for BM25; without dense vectors these documents stay to be done again.
        count = count_words if embedder is None else embedder.count_tokens
        return Run(collection, pipeline, count, embedder, everything=everything)

    async def slices(self, collection: str, ids: Sequence[str]) -> AsyncIterator[tuple[list[StoredDocument], int]]:
        """The documents of `ids` that exist, in slices that fit the memory, each with how many ids are read so far."""
        position = 0
        while position < len(ids):
            size = batch_size(len(ids), self._memory())
            slice: list[StoredDocument] = []
            characters = 0
            while position < len(ids) and len(slice) < size and characters < CHARACTERS_PER_SLICE:
                part = ids[position : position + min(DOCUMENTS_PER_READ, size - len(slice))]
                position += len(part)
                found = await self.store.documents(collection, part)
                characters += sum(len(stored.document.text) for stored in found)
                slice += found
            yield slice, position

    async def index(self, run: Run, documents: Sequence[StoredDocument]) -> None:
        """Bring the points of `documents` in step with them, deleted ones included, and mark them finished.

        A document changed meanwhile by someone else is done again, so that its last writer leaves no old chunk behind.
        Raises Unavailable errors of store and engine; an embedder that is away only leaves the dense vectors out.
        """
        waiting = [d for d in documents if run.everything or not is_current(d, run.pipeline)]
        while waiting:
            await self._index_once(run, waiting)
            revisions = {stored.document.id: stored.revision for stored in waiting}
            now = await self.store.documents(run.collection.name, list(revisions))
            waiting = [stored for stored in now if stored.revision != revisions[stored.document.id]]
        run.counts.documents += len(documents)

    async def _index_once(self, run: Run, documents: Sequence[StoredDocument]) -> None:
        name = run.collection.name
        cuts = [await self._cut(run, stored) for stored in documents]
        missing: set[PointId] = set()
        whole = wholes([cut.chunks for cut in cuts])
        of_chunk = {chunk.id: document for document in whole for chunk in document.chunks}
        # A first chunk carries what the others add up to, so it is written with them or after them.
        chunks = [chunk for document in whole for chunk in document.chunks[1:]] + [each.first for each in whole]
        for start in range(0, len(chunks), CHUNKS_PER_WRITE):
            missing |= await self._write(run, chunks[start : start + CHUNKS_PER_WRITE], of_chunk)
        for cut in cuts:
            cut.complete = missing.isdisjoint(chunk.id for chunk in cut.chunks)
        with run.timed("write"):
            await self._remove_stale(run, cuts)
            await self.store.finish_documents(name, [_finished(cut, run.pipeline) for cut in cuts])
        run.counts.chunks += len(chunks)
        run.counts.failed += sum(cut.error is not None for cut in cuts)

    async def _cut(self, run: Run, stored: StoredDocument) -> _Cut:
        if stored.deleted:
            return _Cut(stored)
        try:
            return _Cut(stored, await asyncio.to_thread(_chunks, run, stored.document))
        except UnreadableDocument as error:
            return _Cut(stored, error=error.message)

    async def _write(
        self, run: Run, chunks: Sequence[PreparedChunk], of_chunk: Mapping[str, WholeDocument]
    ) -> set[PointId]:
        """Upsert the points of `chunks` and give back the ids of those that got no dense vector."""
        name = run.collection.name
        ids: list[PointId] = [chunk.id for chunk in chunks]
        with run.timed("write"):
            there = await self._points.retrieve(name, ids, with_payload=False, with_vectors=[DENSE])
        known = {record.id for record in there}
        dense = {record.id: vector for record in there if (vector := _dense_of(record)) is not None}
        run.counts.reused += len(dense)
        with run.timed("embed"):
            dense |= await self._embed(run, [chunk for chunk in chunks if chunk.id not in dense])
        for chunk in chunks:
            if chunk.id in dense:
                of_chunk[chunk.id].take(dense[chunk.id])
        firsts = [whole for chunk in chunks if (whole := of_chunk[chunk.id]).first.id == chunk.id]
        with run.timed("sparse"):
            words = {chunk.id: words_of(run.collection.profile, chunk.indexed_text) for chunk in chunks}
            lengths = [self._sparse.length(text) for id, text in words.items() if run.everything or id not in known]
            avg_len = await self.lengths.avg_len(name, lengths)
            whole, document_lengths = await self._whole_vectors(run, firsts, known)
            sparse = {id: self._sparse.encode_document(text, avg_len) for id, text in words.items()}
            points = [
                _point(chunk, sparse[chunk.id], dense.get(chunk.id), whole.get(chunk.id, NOTHING)) for chunk in chunks
            ]
        with run.timed("write"):
            await self._points.upsert(name, points)
        if run.everything:
            run.lengths += lengths
            run.document_lengths += document_lengths
        else:
            await self.lengths.add(name, lengths, document_lengths)
        missing = set(ids) - dense.keys()
        run.counts.without_dense += len(missing)
        return missing

    async def _whole_vectors(
        self, run: Run, documents: Sequence[WholeDocument], known: set[PointId]
    ) -> tuple[dict[PointId, Vectors], list[int]]:
        """The vectors of whole documents by the id of their first chunk, and the lengths of those not `known`.

        None in a collection without room for them: it was made before there were any, and answers by its chunks alone.
        """
        if not documents or DOCUMENT_SPARSE not in run.collection.profile.schema.sparse:
            return {}, []
        texts = [words_of(run.collection.profile, whole.text()) for whole in documents]
        lengths = [
            self._sparse.length(text)
            for whole, text in zip(documents, texts, strict=True)
            if run.everything or whole.first.id not in known
        ]
        avg_len = await self.lengths.document_avg_len(run.collection.name, lengths)
        found: dict[PointId, Vectors] = {}
        for whole, text in zip(documents, texts, strict=True):
            vectors: Vectors = {DOCUMENT_SPARSE: self._sparse.encode_document(text, avg_len)}
            mean = whole.mean()
            if mean is not None:
                vectors[DOCUMENT_DENSE] = mean
            found[whole.first.id] = vectors
        return found, lengths

    async def _embed(self, run: Run, chunks: Sequence[PreparedChunk]) -> dict[PointId, Dense]:
        """Dense vectors by chunk id, equal texts embedded once; only those that are known once the embedder was found away."""
        profile = run.collection.profile.embedding
        if profile is None or not chunks:
            return {}
        texts = {chunk.indexed_text: profile.document_prefix + chunk.indexed_text for chunk in chunks}
        known = await self._embeddings.known(profile, list(texts.values()))
        vectors = {text: known[prefixed] for text, prefixed in texts.items() if prefixed in known}
        run.counts.reused += sum(chunk.indexed_text in vectors for chunk in chunks)
        missing = [text for text in texts if text not in vectors]
        if missing and run.embedder is not None:
            vectors |= await self._compute(run, run.embedder, missing)
        return {chunk.id: vectors[chunk.indexed_text] for chunk in chunks if chunk.indexed_text in vectors}

    async def _compute(self, run: Run, embedder: Embedder, texts: list[str]) -> dict[str, Dense]:
        started = monotonic()
        try:
            vectors = dict(zip(texts, await embedder.embed_documents(texts), strict=True))
        except EmbedderUnavailable:
            run.embedder = None
            return {}
        run.counts.embedded += len(texts)
        prefixed = {embedder.profile.document_prefix + text: vector for text, vector in vectors.items()}
        run.counts.embedded_tokens += await asyncio.to_thread(lambda: sum(map(embedder.count_tokens, prefixed)))
        self._embeddings.remember(embedder.profile, prefixed, monotonic() - started)
        return vectors

    async def _remove_stale(self, run: Run, cuts: Sequence[_Cut]) -> None:
        """Remove the chunks of these documents that they no longer have."""
        name = run.collection.name
        kept: list[PointId] = [chunk.id for cut in cuts for chunk in cut.chunks]
        stale = Filter(
            must=[any_of(DOCUMENT_ID, [cut.stored.document.id for cut in cuts])],
            must_not=[Condition(has_id=kept)] if kept else None,
        )
        count = await self._points.count(name, stale)
        if count:
            await self._points.delete_matching(name, stale)
            run.counts.removed += count


def _chunks(run: Run, document: Document) -> list[PreparedChunk]:
    """Blocks. UnreadableDocument when it cannot be parsed."""
    with run.timed("parse"):
        parsed = parse_document(document)
    with run.timed("chunk"):
        return prepare(run.collection.name, document, parsed, run.collection.profile, run.count)


def _point(chunk: PreparedChunk, sparse: SparseVector, dense: Dense | None, whole: Vectors) -> Point:
    vectors: Vectors = {SPARSE: sparse, **whole}
    if dense is not None:
        vectors[DENSE] = dense
    return Point(chunk.id, vectors, chunk.payload)


def _dense_of(record: Record) -> Dense | None:
    vector = (record.vectors or {}).get(DENSE)
    return None if isinstance(vector, SparseVector) else vector


def _finished(cut: _Cut, pipeline: str) -> StoredDocument:
    return replace(
        cut.stored,
        indexed_revision=cut.stored.revision,
        pipeline=pipeline if cut.complete else "",
        chunks=len(cut.chunks),
        error=cut.error,
    )
