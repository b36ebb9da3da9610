"""Running servers, and short folders: the path of a Unix socket has about a hundred bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import start_server  # noqa: F401


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="vectis-", dir="/tmp") as folder:
        yield Path(folder)
