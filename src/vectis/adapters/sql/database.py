"""Connections and transactions: which engine a URL means, how SQLite is tuned. No table is named here."""

import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from vectis.adapters.sql.errors import DRIVER_ERRORS, translate
from vectis.domain.errors import DiskFull, InvalidSetting
from vectis.domain.ports.control import Connections

DISK_RESERVE_BYTES = 128 << 20
"""Free space beside a SQLite file that what users add leaves alone, so that what they added already can still be indexed."""

_BUSY_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 5
_READERS = 4

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class Pool(msgspec.Struct, frozen=True):
    """PostgreSQL connections of one process: `size` kept, `overflow` more while all are in use, a wait of at most `timeout_s`
    for one, each replaced when it is older than `recycle_s`. SQLite needs none of it.
    """

    size: int = 20
    overflow: int = 30
    timeout_s: float = 30.0
    recycle_s: int = 3600


class Database:
    """Transactions on SQLite or PostgreSQL.

    SQLite has one writer at a time: writes share one connection, so that they wait in order here instead of polling for
    the file's lock, and begin IMMEDIATE, so that what they read stays true until they commit. Other processes are waited
    for up to ten seconds, or the `timeout` in the URL. A database in memory is one connection for everything.
    """

    def __init__(self, url: str, pool: Pool = Pool()) -> None:  # noqa: B008 frozen
        self.url = _parse(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._memory: sqlite3.Connection | None = None
        if not self.sqlite:
            self._writer = self._reader = _postgres(self.url, pool)
            self._looker = self._reader.execution_options(isolation_level="AUTOCOMMIT")
        elif self.url.database in (None, "", ":memory:"):
            name = f"file:vectis-{uuid4().hex}?mode=memory&cache=shared"
            # a cancelled statement closes its connection: this one keeps the database alive
            self._memory = sqlite3.connect(name, uri=True, check_same_thread=False)
            shared = self.url.set(database=name).update_query_dict({"uri": "true"})
            self._writer = self._reader = self._looker = _sqlite(shared, "BEGIN IMMEDIATE", connections=1)
        else:
            self._writer = _sqlite(self.url, "BEGIN IMMEDIATE", connections=1)
            self._reader = _sqlite(self.url, "BEGIN", connections=_READERS)
            self._looker = _sqlite(self.url, None, connections=_READERS)

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that only reads."""
        async with _transaction(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def look(self) -> AsyncGenerator[AsyncConnection]:
        """For single SELECTs, each of which sees what is committed by then: no exchanges to begin and to end a transaction."""
        try:
            async with self._looker.connect() as connection:
                yield connection
        except DRIVER_ERRORS as error:
            raise translate(error) from error

    @asynccontextmanager
    async def write(self, *, adds: bool = False) -> AsyncGenerator[AsyncConnection]:
        """A transaction that writes: committed and durable when the block ends, undone when it raises.

        One that `adds` what users send is DiskFull already when it would touch the disk's reserve.
        """
        if adds and self.sqlite and self._memory is None:
            _require_space(Path(self.url.database or ""))
        async with _transaction(self._writer) as connection:
            yield connection

    def connections(self) -> Connections:
        """What connections there are now; of SQLite those that read and the one that writes."""
        pools = {id(engine.pool): engine.pool for engine in (self._reader, self._looker, self._writer)}.values()
        pools = [pool for pool in pools if isinstance(pool, QueuePool)]
        return Connections(
            backend=self.url.get_backend_name(),
            kept=sum(pool.size() for pool in pools),
            in_use=sum(pool.checkedout() for pool in pools),
            idle=sum(pool.checkedin() for pool in pools),
            overflow=sum(max(0, pool.overflow()) for pool in pools),
            status="; ".join(pool.status() for pool in pools),
        )

    async def close(self) -> None:
        """Close every connection."""
        for engine in (self._reader, self._looker, self._writer):
            await engine.dispose()
        if self._memory is not None:
            self._memory.close()


def _require_space(file: Path) -> None:
    status = os.statvfs(file)
    free = status.f_bavail * status.f_frsize
    if free < DISK_RESERVE_BYTES:
        raise DiskFull(
            f"the disk of the control store has {free >> 20} MiB free, {DISK_RESERVE_BYTES >> 20} MiB needed; "
            "nothing was written, make room and repeat",
            free_bytes=free,
        )


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    try:
        async with engine.begin() as connection:
            yield connection
    except DRIVER_ERRORS as error:
        raise translate(error) from error


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername not in _DRIVERS:
        scheme = url.split(":", 1)[0][:40]
        raise InvalidSetting(
            f"database URL: {scheme!r} is not supported; use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE",
            scheme=scheme,
        )
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def _postgres(url: URL, pool: Pool) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool.size,
        max_overflow=pool.overflow,
        pool_timeout=pool.timeout_s,
        pool_recycle=pool.recycle_s,
        pool_pre_ping=True,
        connect_args={"connect_timeout": _CONNECT_TIMEOUT_S},
    )


def _sqlite(url: URL, begin: str | None, *, connections: int) -> AsyncEngine:
    """`begin` is the statement that begins transactions; with None there are none."""
    alone: dict[str, Any] = {} if begin else {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    engine = create_async_engine(
        url if "timeout" in url.query else url.update_query_dict({"timeout": str(_BUSY_TIMEOUT_S)}),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        # the driver must not begin transactions itself: it would begin DEFERRED ones, and only before a write
        connect_args={"isolation_level": None},
        **alone,
    )

    def tune(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    event.listen(engine.sync_engine, "connect", tune)
    if begin is not None:

        def open_transaction(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine.sync_engine, "begin", open_transaction)
    return engine
