"""The control store: what must be remembered besides points. Every method is one transaction, durable on return.

Every method may raise StoreUnavailable, or DiskFull when it writes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from vectis.domain.collections import Bm25Fit, Collection, Deletion, Reconfigured, SettingsVersion
from vectis.domain.documents import Document
from vectis.domain.jobs import ANY_JOB, Job, JobFilter, JobLine, JobStats
from vectis.domain.profiles import SearchSettings
from vectis.domain.routes import Route, RoutePlan, RouteTable


class StoredDocument(msgspec.Struct, frozen=True):
    """A kept document and where its indexing stands.

    `revision` grows with each accepted change; it is searchable as sent once `indexed_revision` equals it. `content_hash`
    covers everything sent; `pipeline` is the fingerprint of how it was cut and embedded. `deleted` documents wait for the
    worker to remove their chunks.
    """

    document: Document
    revision: int
    content_hash: str
    updated_at: datetime
    indexed_revision: int = 0
    pipeline: str = ""
    chunks: int = 0
    deleted: bool = False
    error: str | None = None


class DocumentPage(msgspec.Struct, frozen=True):
    """Documents in order of their ids; `next_offset` is the id that the next page begins with."""

    documents: list[StoredDocument]
    next_offset: str | None = None


class Divergence(msgspec.Struct, frozen=True):
    """Writes that a collection missed: how many, since when, and why the first of them."""

    collection: str
    missed: int
    since: datetime
    reason: str


class DivergenceStore(Protocol):
    """Which collections missed writes that they should have followed."""

    async def note_divergence(self, collection: str, reason: str, now: datetime) -> None:
        """Count one missed write; nothing happens when the collection is gone."""
        ...

    async def divergence(self, collection: str) -> Divergence | None:
        """None when it missed nothing."""
        ...


class CollectionStore(Protocol):
    """Collections and routes."""

    async def add_collection(self, collection: Collection) -> None:
        """CollectionExists when a collection or alias has the name."""
        ...

    async def remove_collection(self, name: str) -> bool:
        """Remove it with its documents; False when absent."""
        ...

    async def collection(self, name: str) -> Collection | None:
        """None on absence; aliases are not resolved. A deleted one is there until it is removed."""
        ...

    async def collections(self) -> list[Collection]:
        """All but the deleted ones, by name."""
        ...

    async def deleted_collections(self) -> list[Collection]:
        """Those that are deleted and not yet removed, by name."""
        ...

    async def hide_collection(self, name: str, deletion: Deletion, job: Job) -> None:
        """Delete it, and record the job that removes it. CollectionNotFound; Conflict while an alias needs it."""
        ...

    async def show_collection(self, name: str, now: datetime) -> Deletion | None:
        """Take its deletion back and give it; None when it is not deleted or is being removed at `now`."""
        ...

    async def take_removal(self, name: str, job_id: str, *, now: datetime, until: datetime) -> bool:
        """The right to remove it, until a time; False when another has it, or when its deletion is not the one with this job."""
        ...

    async def set_bm25(self, name: str, fit: Bm25Fit) -> None:
        """Replace the corpus statistics. CollectionNotFound on absence."""
        ...

    async def routes(self) -> RouteTable:
        """All routes."""
        ...

    async def set_route(self, alias: str, plan: RoutePlan, *, read_version: int | None = None) -> Route:
        """Create or replace the route of `alias` in one step and give it back with its new version.

        Conflict when its version is not `read_version` (0: there must be none; None: whatever there is). CollectionNotFound
        when a collection of the plan does not exist; CollectionExists when `alias` is a collection's name.
        """
        ...

    async def remove_route(self, alias: str) -> bool:
        """False when absent."""
        ...


class SearchSettingsStore(Protocol):
    """The search settings of collections, with every version of them."""

    async def set_search(
        self,
        collection: str,
        settings: SearchSettings,
        *,
        by: str,
        description: str,
        now: datetime,
        read_version: int | None = None,
    ) -> Reconfigured:
        """Make `settings` those of the collection and keep them as a version; equal ones change nothing.

        Conflict when the newest version is not `read_version` (None: whichever it is). CollectionNotFound, also of a deleted one.
        """
        ...

    async def search_versions(self, collection: str) -> list[SettingsVersion]:
        """Newest first, which is the one in force. CollectionNotFound, also of a deleted one."""
        ...


class DocumentStore(Protocol):
    """Kept documents. Writers say which job will index them, recorded in the same transaction."""

    async def put_documents(
        self, collection: str, documents: Sequence[Document], job: Job, now: datetime
    ) -> list[StoredDocument]:
        """Keep new and changed documents and record `job`; CollectionNotFound. Unchanged content keeps its revision."""
        ...

    async def mark_deleted(self, collection: str, ids: Sequence[str], job: Job, now: datetime) -> int:
        """Mark existing documents deleted under a new revision and record `job`; returns how many existed."""
        ...

    async def documents(self, collection: str, ids: Sequence[str]) -> list[StoredDocument]:
        """Those that exist, deleted ones included, in the order of `ids`."""
        ...

    async def list_documents(
        self, collection: str, *, limit: int, offset: str | None = None, source: str | None = None
    ) -> DocumentPage:
        """Documents that are not deleted, by id, optionally of one source."""
        ...

    async def count_documents(self, collection: str) -> int:
        """How many are not deleted."""
        ...

    async def sample_documents(self, collection: str, *, limit: int) -> list[StoredDocument]:
        """Documents that are not deleted, chosen by the hash of their content: the same ones while nothing changes."""
        ...

    async def copy_documents(
        self, source: str, target: str, *, limit: int, after: str | None, now: datetime
    ) -> list[str]:
        """Keep in `target` the next documents of `source`, beyond the id `after`, that it lacks; their ids, in order.

        Those that are deleted in `source` are left out, and those that `target` holds stay as they are. CollectionNotFound.
        """
        ...

    async def unindexed_documents(self, collection: str, *, limit: int, after: str | None) -> list[str]:
        """Ids of documents that cannot be found as they were sent, beyond the id `after`, in order; unreadable ones excepted."""
        ...

    async def finish_documents(self, collection: str, finished: Sequence[StoredDocument]) -> None:
        """Write back indexed_revision, pipeline, chunks and error of documents whose revision still is the one given.

        Rows whose `deleted` is set and whose revision still matches are removed for good.
        """
        ...


class JobLedger(Protocol):
    """Jobs as recorded; the queue runs them. A job that is recorded will run, also when the recorder died at once."""

    async def record_job(self, job: Job) -> str:
        """Idempotent by id; gives the id of `job`, or of the unfinished job that has its key already."""
        ...

    async def job(self, job_id: str) -> Job | None:
        """None on absence."""
        ...

    async def jobs(self, *, limit: int, only: JobFilter = ANY_JOB, before: str | None = None) -> list[Job]:
        """Newest first; `before` is the id of a job that those given were recorded before."""
        ...

    async def unfinished_jobs(self, *, limit: int) -> list[Job]:
        """Pending and running ones, oldest first."""
        ...

    async def job_log(self, job_id: str) -> list[JobLine]:
        """What was logged for the job, oldest first; empty on absence."""
        ...

    async def cancel_job(self, job_id: str, now: datetime) -> bool:
        """End a pending job at once and ask a running one to end; False when it has ended or is absent."""
        ...

    async def retry_job(self, job_id: str) -> bool:
        """Make a dead or cancelled job pending, its failures forgotten; False when it is neither or absent.

        Conflict when another unfinished job has its key.
        """
        ...

    async def recover_jobs(self, now: datetime, *, worker: str | None = None) -> list[str]:
        """Make running jobs pending that nobody holds any more, or that `worker`, known to be dead, held; gives their ids."""
        ...

    async def remove_finished_jobs(self, before: datetime, *, limit: int) -> int:
        """Forget jobs that ended before a time, with their logs, at most `limit`; how many."""
        ...

    async def job_stats(self, now: datetime) -> JobStats:
        """The health of the queues at `now`."""
        ...


class Connections(msgspec.Struct, frozen=True):
    """The store's connections in this process: `kept` at most, `in_use` now, `overflow` beyond the kept ones now."""

    backend: str
    kept: int
    in_use: int
    idle: int
    overflow: int
    status: str


class ControlStore(CollectionStore, SearchSettingsStore, DivergenceStore, DocumentStore, JobLedger, Protocol):
    """All of it, as wiring hands it round; a feature asks for the part it needs."""

    async def ping(self) -> None:
        """Return when the store answers."""
        ...

    def connections(self) -> Connections:
        """What connections there are now; nothing is asked for it."""
        ...
