"""Documents as users see them: checked, kept, listed, removed. What the recorded jobs do is jobs.py's."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import msgspec

from vectis.domain.access import CollectionPass, Permission
from vectis.domain.collections import Collection
from vectis.domain.divergences import Divergences
from vectis.domain.documents import Document
from vectis.domain.errors import (
    DocumentNotFound,
    InvalidInput,
    InvalidName,
    LimitExceeded,
    TooLarge,
    UnreadableDocument,
    Unsupported,
    VectisError,
)
from vectis.domain.hashing import content_hash
from vectis.domain.jobs import Job, JobState
from vectis.domain.points import check_payload
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import DocumentStore, StoredDocument
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.jobs import JobQueue
from vectis.ingest.parse.outline import TEXT_CHARACTERS_MAX
from vectis.ingest.pipeline import RESERVED_KEYS, fingerprint, is_current

INGEST = "ingest"
"""The job kind that indexes documents. Payload: {"collection": name, "ids": [...]}."""

ID_CHARACTERS_MAX = 512
NAME_CHARACTERS_MAX = 2048
PAYLOAD_BYTES_MAX = 64 * 1024
DOCUMENTS_MAX = 10_000
LIST_MAX = 1000


class Refused(msgspec.Struct, frozen=True):
    """A document that was not taken: its place in the request, its id, why, and the error's code."""

    index: int
    id: str
    reason: str
    code: str


class Accepted(msgspec.Struct, frozen=True):
    """What became of a request. `job_id` is None when no document was new, changed or waiting to be indexed."""

    job_id: str | None
    accepted: int
    unchanged: int
    refused: list[Refused]
    followed: tuple[str, ...] = ()
    """The jobs of the collections that are kept in step with the one written to."""


class Removed(msgspec.Struct, frozen=True):
    """How many documents were found, and the job that removes their chunks; None when none was."""

    job_id: str | None
    removed: int
    followed: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True):
    """A kept document, and whether it can be found as it was sent and as its collection's profile says."""

    stored: StoredDocument
    current: bool


class StandingPage(msgspec.Struct, frozen=True):
    """Documents in order of their ids; `next_offset` is the id that the next page begins with."""

    documents: list[Standing]
    next_offset: str | None


class IngestService:
    """The documents of a collection, which is named by itself or by an alias."""

    def __init__(
        self, *, store: DocumentStore, directory: Directory, queue: JobQueue, divergences: Divergences, clock: Clock
    ) -> None:
        self._store = store
        self._directory = directory
        self._queue = queue
        self._divergences = divergences
        self._clock = clock

    async def accept(self, by: CollectionPass, documents: Sequence[Document]) -> Accepted:
        """Keep the good documents and record the job that indexes them, in one transaction; tell the bad ones and why.

        Documents that are searchable as sent already are left alone. Of several with one id the last is taken. Raises
        CollectionNotFound, Unsupported (the collection holds its callers' own vectors), LimitExceeded.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        if len(documents) > DOCUMENTS_MAX:
            raise LimitExceeded(
                f"{len(documents)} documents in one request, the maximum is {DOCUMENTS_MAX}; send them in parts",
                given=len(documents),
                maximum=DOCUMENTS_MAX,
            )
        to = await self._directory.written(by.collection)
        _of_documents(to.collection)
        good: dict[str, Document] = {}
        refused: list[Refused] = []
        for index, document in enumerate(documents):
            try:
                check_document(document)
            except VectisError as error:
                refused.append(Refused(index, document.id[:ID_CHARACTERS_MAX], error.message, error.code))
            else:
                good[document.id] = document
        job_id, count = await self._keep(to.collection, good)
        followed: list[str] = []
        for follower in to.followers:
            async with self._divergences.noted(follower.name):
                followed += filter(None, [(await self._keep(_of_documents(follower), good))[0]])
        return Accepted(job_id, count, len(good) - count, refused, tuple(followed))

    async def _keep(self, collection: Collection, documents: dict[str, Document]) -> tuple[str | None, int]:
        """Keep what is not searchable as sent; the job that indexes it, and of how many."""
        stored = {known.document.id: known for known in await self._store.documents(collection.name, list(documents))}
        pipeline = fingerprint(collection.profile)
        wanted = [d for d in documents.values() if not _is_searchable_as_sent(d, stored.get(d.id), pipeline)]
        if not wanted:
            return None, 0
        job = self._job(collection.name, [document.id for document in wanted])
        await self._store.put_documents(collection.name, wanted, job, self._clock.now())
        await self._queue.submit(job)
        return job.id, len(wanted)

    async def remove(self, by: CollectionPass, ids: Sequence[str]) -> Removed:
        """Mark documents deleted, and record the job that removes their chunks, in one transaction.

        Raises CollectionNotFound, Unsupported.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        to = await self._directory.written(by.collection)
        job_id, existed = await self._mark_deleted(_of_documents(to.collection), ids)
        followed: list[str] = []
        for follower in to.followers:
            async with self._divergences.noted(follower.name):
                followed += filter(None, [(await self._mark_deleted(_of_documents(follower), ids))[0]])
        return Removed(job_id, existed, tuple(followed))

    async def _mark_deleted(self, collection: Collection, ids: Sequence[str]) -> tuple[str | None, int]:
        job = self._job(collection.name, ids)
        existed = await self._store.mark_deleted(collection.name, ids, job, self._clock.now())
        if not existed:
            return None, 0
        await self._queue.submit(job)
        return job.id, existed

    async def indexed(self, by: CollectionPass, work: Accepted | Removed, timeout_s: float) -> Job | None:
        """The job of what was accepted or removed, once it and those of the followers have ended; None when there was none.

        Raises DeadlineExceeded after `timeout_s`, and the jobs go on.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        ended = [self._queue.wait(each, timeout_s) for each in (work.job_id, *work.followed) if each is not None]
        first, *_ = [*await asyncio.gather(*ended), None]
        return first if work.job_id is not None else None

    async def get(self, by: CollectionPass, id: str) -> Standing:
        """One document and where its indexing stands. CollectionNotFound, Unsupported, DocumentNotFound."""
        by.require(Permission.READ_COLLECTIONS)
        collection = _of_documents((await self._directory.resolve(by.collection)).collection)
        for stored in await self._store.documents(collection.name, [id]):
            if not stored.deleted:
                return Standing(stored, is_current(stored, fingerprint(collection.profile)))
        raise DocumentNotFound(
            f"collection {collection.name!r} holds no document {id[:ID_CHARACTERS_MAX]!r}", id=id[:200]
        )

    async def list(
        self, by: CollectionPass, *, limit: int = 100, offset: str | None = None, source: str | None = None
    ) -> StandingPage:
        """Documents by id, optionally of one source. CollectionNotFound, Unsupported; LimitExceeded beyond 1000."""
        by.require(Permission.READ_COLLECTIONS)
        if not 1 <= limit <= LIST_MAX:
            raise LimitExceeded(
                f"limit: {limit} documents in one page, it may be 1 to {LIST_MAX}", field="limit", maximum=LIST_MAX
            )
        collection = _of_documents((await self._directory.resolve(by.collection)).collection)
        page = await self._store.list_documents(collection.name, limit=limit, offset=offset, source=source)
        pipeline = fingerprint(collection.profile)
        return StandingPage(
            [Standing(stored, is_current(stored, pipeline)) for stored in page.documents], page.next_offset
        )

    def _job(self, collection: str, ids: Sequence[str]) -> Job:
        payload = {"collection": collection, "ids": list(ids)}
        return Job(str(uuid4()), INGEST, JobState.PENDING, payload, created_at=self._clock.now())


def _of_documents(collection: Collection) -> Collection:
    """`collection` itself. Unsupported when it takes no documents."""
    if collection.profile.embedding is None:
        raise Unsupported(
            f"collection {collection.name!r} holds its callers' own vectors and takes no documents; send points, "
            "or create a collection from a document profile",
            name=collection.name,
        )
    return collection


def check_document(document: Document) -> None:
    """Raise what is wrong with a document before it is kept: InvalidName, InvalidInput, UnreadableDocument or TooLarge."""
    if not document.id.strip() or len(document.id) > ID_CHARACTERS_MAX or not document.id.isprintable():
        raise InvalidName(f"a document's id is 1 to {ID_CHARACTERS_MAX} printable characters", field="id")
    for field in ("title", "source", "url"):
        value: str = getattr(document, field)
        if len(value) > NAME_CHARACTERS_MAX or "\x00" in value:
            raise InvalidInput(f"{field} is text of at most {NAME_CHARACTERS_MAX} characters", field=field)
    if not document.text.strip():
        raise InvalidInput("text is empty; a document needs text to be found by", field="text")
    if "\x00" in document.text:
        raise UnreadableDocument("text holds a NUL character, so it is binary; send text", field="text")
    if len(document.text) > TEXT_CHARACTERS_MAX:
        raise TooLarge(
            f"text has {len(document.text)} characters, the maximum is {TEXT_CHARACTERS_MAX}; split the document",
            given=len(document.text),
            maximum=TEXT_CHARACTERS_MAX,
        )
    _check_payload(document)


def _check_payload(document: Document) -> None:
    taken = sorted(RESERVED_KEYS & document.payload.keys())
    if taken:
        raise InvalidInput(
            f"payload.{taken[0]} is written by Vectis itself; use another key", field=f"payload.{taken[0]}"
        )
    check_payload(document.payload)
    try:
        encoded_payload = msgspec.json.encode(document.payload)
        msgspec.json.encode(document)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the document cannot be written as JSON: {error}", field="payload") from None
    if len(encoded_payload) > PAYLOAD_BYTES_MAX:
        raise TooLarge(
            f"payload takes {len(encoded_payload)} bytes as JSON, the maximum is {PAYLOAD_BYTES_MAX}",
            given=len(encoded_payload),
            maximum=PAYLOAD_BYTES_MAX,
        )


def _is_searchable_as_sent(document: Document, stored: StoredDocument | None, pipeline: str) -> bool:
    return stored is not None and is_current(stored, pipeline) and stored.content_hash == content_hash(document)
