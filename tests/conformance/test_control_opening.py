"""Opening and migrating a control store, on every database."""

import asyncio
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from control_suite import collection

from vectis.adapters.sql import migrate as migrations
from vectis.adapters.sql.database import Database
from vectis.adapters.sql.migrate import HEAD, migrate
from vectis.adapters.sql.store import open_store
from vectis.adapters.sql.tables import metadata

OPEN = """
import asyncio, sys
from vectis.adapters.sql.store import open_store
async def main():
    store = await open_store(sys.argv[1])
    await store.ping()
    await store.close()
asyncio.run(main())
"""


@pytest.fixture
def fresh_url(request: pytest.FixtureRequest, store_url: str, tmp_path: Path) -> str:
    """The URL of an empty database for this test alone."""
    if store_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/control.sqlite"
    return request.getfixturevalue("postgres_cluster").database()


async def test_up_down_and_up_again(fresh_url: str) -> None:
    database = Database(fresh_url)
    await migrate(database)
    assert await tables(database) == {*metadata.tables, "alembic_version"}
    await migrate(database, "base")
    assert await tables(database) == {"alembic_version"}
    await migrate(database)
    assert await tables(database) == {*metadata.tables, "alembic_version"}
    await database.close()


async def test_migrations_make_the_tables_that_the_code_uses(fresh_url: str) -> None:
    database = Database(fresh_url)
    await migrate(database)

    def differences(connection: sa.Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_what_was_written_is_there_after_reopening(fresh_url: str) -> None:
    store = await open_store(fresh_url)
    await store.add_collection(collection("docs"))
    await store.close()
    again = await open_store(fresh_url)
    assert await again.collections() == [collection("docs")]
    await again.close()


async def test_several_processes_open_an_empty_database_at_once(fresh_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, fresh_url, stderr=asyncio.subprocess.PIPE)
        for _ in range(4)
    ]
    ended = [await process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ended


async def tables(database: Database) -> set[str]:
    async with database.read() as connection:
        return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))
