"""Fixtures that several conformance suites share."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from engine_suite import KINDS, opened_engine
from postgres import postgres_cluster, postgres_url  # noqa: F401

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.ports.engine import Engine


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a control store for this module."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path_factory.mktemp('control')}/control.sqlite"


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    opened = await open_store(store_url)
    yield opened
    await opened.close()


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return f"n{uuid4().hex[:12]}"


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=KINDS)
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    """One engine of each kind for the whole run; skipped aloud where a kind cannot be had."""
    async with opened_engine(request.param, tmp_path_factory.mktemp("engine")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def tidy(engine: Engine) -> AsyncIterator[None]:
    """Drops the collections and aliases that a test made."""
    before = set(await engine.names())
    yield
    await engine.apply_aliases({})
    for name in set(await engine.names()) - before:
        await engine.drop(name)
