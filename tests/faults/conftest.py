"""Short folders: the path of a Unix socket has about a hundred bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="vectis-", dir="/tmp") as folder:
        yield Path(folder)
