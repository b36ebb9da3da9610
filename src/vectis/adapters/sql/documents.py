"""Kept documents in the control store."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.jobs import SqlJobs
from vectis.adapters.sql.part import lock_collection, sliced, to_json
from vectis.adapters.sql.tables import UtcTime, documents
from vectis.domain.documents import Document
from vectis.domain.hashing import content_hash
from vectis.domain.jobs import Job
from vectis.domain.ports.control import DocumentPage, StoredDocument

_STANDING = tuple(column for column in documents.c if column.name not in ("collection", "source", "document"))
"""All of a row but the text, which may be megabytes."""


class SqlDocuments(SqlJobs):
    """vectis.domain.ports.control.DocumentStore; it records jobs too, in the transaction of the documents."""

    async def put_documents(
        self, collection: str, documents: Sequence[Document], job: Job, now: datetime
    ) -> list[StoredDocument]:
        """See the port. Of documents with one id in one call the last counts."""
        wanted = {document.id: (document, content_hash(document)) for document in documents}
        async with self._database.write(adds=True) as connection:
            revision = await lock_collection(connection, collection)
            standing = await _standing(connection, collection, list(wanted))
            kept: dict[str, StoredDocument] = {}
            changed: list[StoredDocument] = []
            for document, digest in wanted.values():
                stored = _revised(standing.get(document.id), document, digest, revision, now)
                kept[document.id] = stored
                if stored.revision == revision:
                    changed.append(stored)
            if changed:
                await self._upsert(connection, collection, changed)
            await self._record(connection, job)
        return [kept[document.id] for document in documents]

    async def mark_deleted(self, collection: str, ids: Sequence[str], job: Job, now: datetime) -> int:
        """See the port. CollectionNotFound; documents that are deleted already do not count."""
        count = 0
        async with self._database.write() as connection:
            revision = await lock_collection(connection, collection)
            for part in sliced(ids):
                statement = (
                    sa.update(documents)
                    .where(_named(collection, part), documents.c.deleted.is_(False))
                    .values(deleted=True, revision=revision, updated_at=now)
                )
                count += (await connection.execute(statement)).rowcount
            await self._record(connection, job)
        return count

    async def documents(self, collection: str, ids: Sequence[str]) -> list[StoredDocument]:
        """See the port."""
        found: dict[str, StoredDocument] = {}
        async with self._database.read() as connection:
            for part in sliced(ids):
                for row in await connection.execute(sa.select(documents).where(_named(collection, part))):
                    found[row.id] = _stored(row, _decode(row.document))
        return [found[document_id] for document_id in ids if document_id in found]

    async def list_documents(
        self, collection: str, *, limit: int, offset: str | None = None, source: str | None = None
    ) -> DocumentPage:
        """See the port."""
        table = documents
        statement = sa.select(table).where(table.c.collection == collection, table.c.deleted.is_(False))
        if offset is not None:
            statement = statement.where(table.c.id >= offset)
        if source is not None:
            statement = statement.where(table.c.source == source)
        async with self._database.read() as connection:
            rows = (await connection.execute(statement.order_by(table.c.id).limit(limit + 1))).all()
        return DocumentPage(
            documents=[_stored(row, _decode(row.document)) for row in rows[:limit]],
            next_offset=rows[limit].id if len(rows) > limit else None,
        )

    async def count_documents(self, collection: str) -> int:
        """See the port."""
        statement = sa.select(sa.func.count()).where(
            documents.c.collection == collection, documents.c.deleted.is_(False)
        )
        async with self._database.read() as connection:
            return await connection.scalar(statement) or 0

    async def sample_documents(self, collection: str, *, limit: int) -> list[StoredDocument]:
        """See the port."""
        wanted = (
            sa.select(documents.c.id)
            .where(documents.c.collection == collection, documents.c.deleted.is_(False))
            .order_by(documents.c.content_hash, documents.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            ids = await _ids(connection, wanted)
        return await self.documents(collection, ids)

    async def copy_documents(
        self, source: str, target: str, *, limit: int, after: str | None, now: datetime
    ) -> list[str]:
        """See the port. Both collections are held, so that a document that is deleted meanwhile cannot come back."""
        there = documents.alias("there")
        lacking = ~sa.exists().where(there.c.collection == target, there.c.id == documents.c.id)
        wanted = sa.select(documents.c.id).where(
            documents.c.collection == source, documents.c.deleted.is_(False), lacking
        )
        async with self._database.write(adds=True) as connection:
            revisions = {name: await lock_collection(connection, name) for name in sorted({source, target})}
            ids = await _ids(connection, _next(wanted, limit, after))
            if ids:
                copied = {
                    **{column.name: column for column in documents.c},
                    "collection": sa.literal(target),
                    "revision": sa.literal(revisions[target]),
                    "updated_at": sa.literal(now, UtcTime()),
                    "indexed_revision": sa.literal(0),
                    "pipeline": sa.literal(""),
                    "chunks": sa.literal(0),
                    "error": sa.null(),
                }
                selected = sa.select(*copied.values()).where(_named(source, ids))
                await connection.execute(self._insert(documents).from_select(list(copied), selected))
            return ids

    async def unindexed_documents(self, collection: str, *, limit: int, after: str | None) -> list[str]:
        """See the port."""
        columns = documents.c
        waiting = sa.or_(
            columns.indexed_revision != columns.revision, sa.and_(columns.pipeline == "", columns.error.is_(None))
        )
        wanted = sa.select(columns.id).where(columns.collection == collection, columns.deleted.is_(False), waiting)
        async with self._database.read() as connection:
            return await _ids(connection, _next(wanted, limit, after))

    async def finish_documents(self, collection: str, finished: Sequence[StoredDocument]) -> None:
        """See the port. CollectionNotFound."""
        if not finished:
            return
        same = sa.and_(
            documents.c.collection == collection,
            documents.c.id == sa.bindparam("of_id"),
            documents.c.revision == sa.bindparam("of_revision"),
        )
        update = sa.update(documents).where(same, documents.c.deleted.is_(False))
        async with self._database.write() as connection:
            await lock_collection(connection, collection, deleted=True)
            await connection.execute(
                sa.delete(documents).where(same, documents.c.deleted.is_(True)),
                [{"of_id": stored.document.id, "of_revision": stored.revision} for stored in finished],
            )
            await connection.execute(update, [_finished_values(stored) for stored in finished])

    async def _upsert(self, connection: AsyncConnection, collection: str, changed: Sequence[StoredDocument]) -> None:
        statement = self._insert(documents)
        replaced = ("source", "revision", "content_hash", "updated_at", "deleted", "error", "document")
        statement = statement.on_conflict_do_update(
            index_elements=[documents.c.collection, documents.c.id],
            set_={name: statement.excluded[name] for name in replaced},
        )
        await connection.execute(statement, [_row(collection, stored) for stored in changed])


async def _ids(connection: AsyncConnection, statement: sa.Select[tuple[str]]) -> list[str]:
    return [row.id for row in await connection.execute(statement)]


def _next(wanted: sa.Select[tuple[str]], limit: int, after: str | None) -> sa.Select[tuple[str]]:
    """The first ids beyond `after`."""
    beyond = wanted if after is None else wanted.where(documents.c.id > after)
    return beyond.order_by(documents.c.id).limit(limit)


def _named(collection: str, ids: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(documents.c.collection == collection, documents.c.id.in_(ids))


async def _standing(
    connection: AsyncConnection, collection: str, ids: Sequence[str]
) -> dict[str, sa.Row[tuple[object, ...]]]:
    found: dict[str, sa.Row[tuple[object, ...]]] = {}
    for part in sliced(ids):
        for row in await connection.execute(sa.select(*_STANDING).where(_named(collection, part))):
            found[row.id] = row
    return found


def _revised(
    row: sa.Row[tuple[object, ...]] | None, document: Document, digest: str, revision: int, now: datetime
) -> StoredDocument:
    """As it stands when nothing changed, else under the new revision."""
    if row is None:
        return StoredDocument(document=document, revision=revision, content_hash=digest, updated_at=now)
    stored = _stored(row, document)
    if row.content_hash == digest and not row.deleted:
        return stored
    return msgspec.structs.replace(
        stored, revision=revision, content_hash=digest, updated_at=now, deleted=False, error=None
    )


def _row(collection: str, stored: StoredDocument) -> dict[str, object]:
    return {
        "collection": collection,
        "id": stored.document.id,
        "source": stored.document.source,
        "revision": stored.revision,
        "content_hash": stored.content_hash,
        "updated_at": stored.updated_at,
        "indexed_revision": stored.indexed_revision,
        "pipeline": stored.pipeline,
        "chunks": stored.chunks,
        "deleted": stored.deleted,
        "error": stored.error,
        "document": to_json(stored.document),
    }


def _finished_values(stored: StoredDocument) -> dict[str, object]:
    return {
        "of_id": stored.document.id,
        "of_revision": stored.revision,
        "indexed_revision": stored.indexed_revision,
        "pipeline": stored.pipeline,
        "chunks": stored.chunks,
        "error": stored.error,
    }


def _decode(text: str) -> Document:
    return msgspec.json.decode(text, type=Document)


def _stored(row: sa.Row[tuple[object, ...]], document: Document) -> StoredDocument:
    return StoredDocument(
        document=document,
        revision=row.revision,
        content_hash=row.content_hash,
        updated_at=row.updated_at,
        indexed_revision=row.indexed_revision,
        pipeline=row.pipeline,
        chunks=row.chunks,
        deleted=row.deleted,
        error=row.error,
    )
