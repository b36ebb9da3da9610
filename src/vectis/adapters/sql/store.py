"""The control store, whole: what wiring opens and features use a part of."""

import sqlalchemy as sa

from vectis.adapters.sql.audit import SqlAudit
from vectis.adapters.sql.collections import SqlCollections
from vectis.adapters.sql.credentials import SqlAccess
from vectis.adapters.sql.database import Database, Pool
from vectis.adapters.sql.divergences import SqlDivergences
from vectis.adapters.sql.documents import SqlDocuments
from vectis.adapters.sql.embeddings import SqlEmbeddings
from vectis.adapters.sql.feedback import SqlFeedback
from vectis.adapters.sql.gains import SqlGains
from vectis.adapters.sql.job_stats import SqlJobStats
from vectis.adapters.sql.leases import SqlLeases
from vectis.adapters.sql.migrate import migrate
from vectis.adapters.sql.rollouts import SqlRollouts
from vectis.adapters.sql.schedules import SqlSchedules
from vectis.adapters.sql.search_settings import SqlSearchSettings
from vectis.adapters.sql.spending import SqlSpending
from vectis.adapters.sql.traffic import SqlTraffic
from vectis.domain.errors import VectisError
from vectis.domain.ports.control import Connections, ControlStore


class SqlStore(
    SqlCollections,
    SqlSearchSettings,
    SqlDivergences,
    SqlDocuments,
    SqlJobStats,
    SqlLeases,
    SqlEmbeddings,
    SqlAudit,
    SqlAccess,
    SqlRollouts,
    SqlSchedules,
    SqlTraffic,
    SqlFeedback,
    SqlSpending,
    SqlGains,
    ControlStore,
):
    """vectis.domain.ports.control.ControlStore over SQLite or PostgreSQL. Several processes may hold one database."""

    async def ping(self) -> None:
        """See the port."""
        async with self._database.read() as connection:
            await connection.execute(sa.select(1))

    def connections(self) -> Connections:
        """See the port."""
        return self._database.connections()

    async def close(self) -> None:
        """Close every connection; the store is of no use afterwards."""
        await self._database.close()


async def ask_store(url: str) -> None:
    """Whether a database answers, its tables left as they are. InvalidSetting; StoreUnavailable."""
    store = SqlStore(Database(url, Pool(size=1, overflow=0)))
    try:
        await store.ping()
    finally:
        await store.close()


async def open_store(url: str, pool: Pool = Pool()) -> SqlStore:  # noqa: B008 frozen
    """Bring the database's tables up to date and open it.

    `url` is `sqlite:///FILE`, `sqlite:///:memory:` (gone with the process) or `postgresql://USER:PASSWORD@HOST/NAME`.
    Processes that open one database at the same time migrate it once. InvalidSetting; StoreUnavailable; DiskFull.
    """
    database = Database(url, pool)
    try:
        await migrate(database)
    except VectisError:
        await database.close()
        raise
    return SqlStore(database)
