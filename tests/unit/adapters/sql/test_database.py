"""What the control store does when its database is full, locked, away or not one that it knows."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from vectis.adapters.sql.database import Database
from vectis.adapters.sql.store import open_store
from vectis.domain.errors import DiskFull, InvalidSetting, StoreUnavailable
from vectis.domain.jobs import Job, JobState


def job(job_id: str, *, size: int = 0) -> Job:
    return Job(id=job_id, kind="k", state=JobState.PENDING, payload={"filling": "x" * size})


async def test_a_database_that_is_full_says_so_and_keeps_what_it_had(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/full.sqlite")
    async with database.write() as connection:
        await connection.execute(sa.text("CREATE TABLE filling (text TEXT)"))
        await connection.execute(sa.text("INSERT INTO filling VALUES ('small')"))
    async with database.write() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count = 4")
    with pytest.raises(DiskFull, match="free some"):
        async with database.write() as connection:
            await connection.execute(sa.text("INSERT INTO filling VALUES (:text)"), {"text": "x" * 100_000})
    async with database.read() as connection:
        assert await connection.scalar(sa.text("SELECT count(*) FROM filling")) == 1
    await database.close()


async def test_a_lock_that_outlasts_the_timeout_is_unavailable_and_passes(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/control.sqlite?timeout=0.05")
    other = sqlite3.connect(tmp_path / "control.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="busy") as caught:
        await store.record_job(job("a"))
    assert caught.value.retry_after_s > 0
    assert await store.jobs(limit=1) == [], "readers do not wait for a writer"
    other.execute("ROLLBACK")
    other.close()
    await store.record_job(job("a"))
    assert await store.job("a") is not None
    await store.close()


@pytest.mark.parametrize("url", ["sqlite:////absent/folder/control.sqlite", "postgresql://127.0.0.1:1/none"])
async def test_a_database_that_cannot_be_reached_is_unavailable(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="can be reached"):
        await open_store(url)


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql+asyncpg://host/db", "control.sqlite", ""])
def test_a_url_of_another_kind_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidSetting, match="sqlite:///FILE"):
        Database(url)


def test_a_password_is_not_in_the_message() -> None:
    with pytest.raises(InvalidSetting) as caught:
        Database("mysql://user:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


# the driver's thread may finish a cancelled statement after the test's loop is closed, and says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_store_in_memory_survives_a_cancelled_write() -> None:
    store = await open_store("sqlite:///:memory:")
    await store.record_job(job("a"))
    for turn in range(20):
        writing = asyncio.create_task(store.record_job(job(f"b{turn}", size=1_000_000)))
        await asyncio.sleep(turn / 10_000)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert await store.job("a") == job("a")
    await store.record_job(job("c"))
    await store.close()


async def test_stores_in_memory_are_separate() -> None:
    one, two = await open_store("sqlite://"), await open_store("sqlite:///:memory:")
    await one.record_job(job("a"))
    assert await two.job("a") is None
    await asyncio.gather(*(one.record_job(job(f"b{n}")) for n in range(20)), *(one.jobs(limit=1) for _ in range(20)))
    assert len(await one.jobs(limit=100)) == 21
    await one.close()
    await two.close()


async def test_sqlite_is_tuned_to_survive_kills_and_to_check_references(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/control.sqlite")
    async with database.read() as reading, database.write() as writing:
        for connection in (reading, writing):
            found = [await connection.scalar(sa.text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")]
            assert found == ["wal", 2]
            assert await connection.scalar(sa.text("PRAGMA foreign_keys")) == 1
    await database.close()


async def test_each_look_sees_what_is_committed_by_then_and_waits_for_no_writer(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/control.sqlite")
    async with database.write() as connection:
        await connection.execute(sa.text("CREATE TABLE numbers (number INTEGER)"))
    count = sa.text("SELECT count(*) FROM numbers")
    async with database.look() as looking:
        async with database.write() as connection:
            await connection.execute(sa.text("INSERT INTO numbers VALUES (1)"))
            assert await looking.scalar(count) == 0
        assert await looking.scalar(count) == 1
    await database.close()
