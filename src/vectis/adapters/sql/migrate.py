"""Bringing the tables of a database up to date."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vectis.adapters.sql.database import Database

HEAD = "0017"
"""The newest migration. Known here, so that a database that is up to date opens without Alembic."""

_MIGRATE_LOCK = 0x7EC7_0002
_VERSION = sa.table("alembic_version", sa.column("version_num"))


async def migrate(database: Database, revision: str = HEAD) -> None:
    """Upgrade or, when `revision` is older, downgrade; one transaction, and one process at a time."""
    async with database.read() as connection:
        if await connection.run_sync(_current) == revision:
            return
    async with database.write() as connection:
        if not database.sqlite:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATE_LOCK)))
        current = await connection.run_sync(_current)
        if current != revision:
            await connection.run_sync(_move, current, revision)


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.scalar(sa.select(_VERSION.c.version_num))


def _move(connection: sa.Connection, current: str | None, revision: str) -> None:
    from alembic import command  # noqa: PLC0415 (a tenth of a second that only a change of tables needs)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = connection
    newer = revision != "base" and revision > (current or "")
    (command.upgrade if newer else command.downgrade)(config, revision)
