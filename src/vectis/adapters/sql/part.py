"""What the parts of the store share: the database, and statements that both dialects know but SQLAlchemy keeps apart."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.database import Database
from vectis.adapters.sql.tables import collections
from vectis.domain.errors import CollectionNotFound

T = TypeVar("T")

_SLICE = 1000
"""Values of one IN list: far below the number of parameters that any database takes."""


class StorePart:
    """A part of the control store over a database that all parts share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def _insert(self, table: sa.Table) -> "sqlite.Insert | postgresql.Insert":
        return sqlite.insert(table) if self._database.sqlite else postgresql.insert(table)


async def lock_collection(connection: AsyncConnection, name: str, *, deleted: bool = False) -> int:
    """Hold the collection against other writers until the transaction ends; gives its next document revision.

    Writers of one collection go one after the other, so none can deadlock with another. CollectionNotFound on absence; a
    deleted one counts as absent unless `deleted`.
    """
    statement = (
        sa.update(collections)
        .where(collections.c.name == name, collections.c.deletion.is_(None) | deleted)
        .values(revision=collections.c.revision + 1)
        .returning(collections.c.revision)
    )
    revision: int | None = await connection.scalar(statement)
    if revision is None:
        raise CollectionNotFound(f"there is no collection {name!r}", collection=name)
    return revision


def sliced(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in runs that fit one statement."""
    for start in range(0, len(values), _SLICE):
        yield values[start : start + _SLICE]


def to_json(value: object) -> str:
    """JSON as the store keeps it."""
    return msgspec.json.encode(value).decode()
