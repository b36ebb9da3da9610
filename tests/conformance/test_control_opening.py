"""Opening and migrating a control store, on every database."""

import asyncio
import sys
from pathlib import Path

import msgspec
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
from vectis.domain.profiles import Chunking
from vectis.domain.rollouts import Candidate, CandidateBuild

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


OLD_ROLLOUT = """{"id": "r1", "spec": {"alias": "docs", "strategy": "blue_green", "change": "reembed", "stages": [],
"build": {"chunking": {"target": 100, "overlap": 10}}}, "stable": "docs_1", "candidate": "docs_2",
"created_at": "2026-01-01T00:00:00Z", "generation": 2, "promoted": true}"""
OLD_JUDGEMENT = """{"verdict": "successful", "reason": "fine", "metrics": [],
"split": {"name": "split", "verdict": "successful", "reason": "fair", "test": "none"}}"""


async def test_rollouts_of_one_candidate_are_read_after_the_move_to_several_and_back(fresh_url: str) -> None:
    database = Database(fresh_url)
    await migrate(database, "0014")
    async with database.write() as connection:
        for statement, values in (
            (
                "INSERT INTO rollouts (id, alias, generation, step, rollout) VALUES ('r1', 'docs', 2, 'watch', :text)",
                OLD_ROLLOUT,
            ),
            ("INSERT INTO rollout_judgements (rollout, generation, judgement) VALUES ('r1', 2, :text)", OLD_JUDGEMENT),
        ):
            await connection.execute(sa.text(statement), {"text": values})
    await database.close()
    store = await open_store(fresh_url)
    rollout = await store.rollout("r1")
    assert rollout is not None
    build = CandidateBuild(chunking=Chunking(target=100, overlap=10))
    assert (rollout.candidates, rollout.chosen) == ((Candidate("docs_2", build=build),), "candidate")
    assert (await store.judgements("r1"))[2]["candidate"].reason == "fine"
    await store.close()
    database = Database(fresh_url)
    await migrate(database, "0014")
    async with database.read() as connection:
        text = await connection.scalar(sa.text("SELECT rollout FROM rollouts"))
        judged = await connection.scalar(sa.text("SELECT judgement FROM rollout_judgements"))
    assert msgspec.json.decode(text)["candidate"] == "docs_2"
    assert msgspec.json.decode(text)["promoted"] is True
    assert msgspec.json.decode(judged) == msgspec.json.decode(OLD_JUDGEMENT)
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
