"""Marks in memory that all processes of a server map: the engine process counts writes there, everyone looks without asking.

The file is an array of 64-bit numbers: a mark of the engine's start, one of the directory, and one count for each of CELLS
groups of collections. A collection belongs to a group by its name's checksum, so that two that share one only miss more often.
"""

import mmap
import os
from pathlib import Path
from zlib import crc32

from vectis.adapters.edge.layout import disk_errors

CELLS = 8192
ENGINE = 0
DIRECTORY = 1
FIRST = 2
SIZE = 8 * (FIRST + CELLS)


class SharedVersions:
    """vectis.domain.ports.versions.Versions over the file at `path`, made when absent. DiskFull when there is no room for it.

    Numbers are read and written whole (64 bits, aligned). Counts have one writer, the engine process; the engine's and the
    directory's mark are replaced by a number never seen before, so that any process may write them. `counted` says whether
    there is an engine process.
    """

    def __init__(self, path: Path, *, counted: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with disk_errors():  # room now, because writing to a mapped page without room would end the process
                getattr(os, "posix_fallocate", _extend)(file, 0, SIZE)
            self._cells = memoryview(mmap.mmap(file, SIZE)).cast("Q")
        finally:
            os.close(file)
        self._counted = counted

    def collection(self, name: str) -> int | None:
        """See the port. It changes with each start of the engine too."""
        return self._cells[ENGINE] << 64 | self._cells[_cell(name)] if self._counted else None

    def directory(self) -> int:
        """See the port."""
        return self._cells[DIRECTORY]

    def directory_changed(self) -> None:
        """See the port."""
        self._cells[DIRECTORY] = _unseen()

    def engine_started(self) -> None:
        """Called by the engine process when it starts: what a killed one wrote last may not be counted."""
        self._cells[ENGINE] = _unseen()

    def written(self, name: str) -> None:
        """Called by the engine process, and by no other, in the same turn of its loop in which points changed."""
        self._cells[_cell(name)] += 1


def _extend(file: int, _offset: int, size: int) -> None:
    """Where the system cannot set room aside."""
    os.ftruncate(file, size)


def _cell(name: str) -> int:
    return FIRST + crc32(name.encode()) % CELLS


def _unseen() -> int:
    return int.from_bytes(os.urandom(8), "little")
