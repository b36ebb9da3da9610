"""The data folder of the engine process: its lock, its collections' folders, and how each change becomes durable.

Names that begin with a dot are unfinished or condemned; opening removes them. Nothing here opens a shard.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from vectis.domain.errors import DataFolderInUse, DiskFull
from vectis.domain.schema import CollectionSchema

DISK_RESERVE_BYTES = 96 << 20
"""Writes are refused below this: the engine maps sparse files, and a full disk under a mapping kills the process."""

DISK_FLOOR_BYTES = 48 << 20
"""Below this nothing is deleted nor opened either, for both write a little into mapped files."""

BYTES_PER_BYTE_SENT = 3
"""What a write takes on disk, generously: the log, the vectors, the payload and their pages."""

_SCHEMA, _CURRENT, _ALIASES, _LOCK = "schema.json", "CURRENT", "aliases.json", "engine.lock"
_PIECE_BYTES = 4 << 20


class Holder(msgspec.Struct, frozen=True):
    """Who holds a data folder."""

    pid: int
    started_at: datetime
    socket: str


class FolderLock:
    """The lock of a data folder. It ends with the process, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _LOCK
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def take(self, holder: Holder) -> bool:
        """Take it for `holder` and say so in the file; False when another process has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        with disk_errors():
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, msgspec.json.encode(holder), 0)
            os.fsync(self._file)
        return True

    def conflict(self) -> DataFolderInUse:
        """The error that names the process which has it."""
        folder = str(self._path.parent)
        try:
            holder = msgspec.json.decode(self._path.read_bytes(), type=Holder)
        except msgspec.DecodeError:
            return DataFolderInUse(f"{folder}: another process holds this data folder; stop it first", folder=folder)
        return DataFolderInUse(
            f"{folder}: process {holder.pid} holds this data folder since {holder.started_at:%Y-%m-%d %H:%M:%S} UTC; "
            "stop it, or reach it through its server",
            folder=folder,
            pid=holder.pid,
            socket=holder.socket,
        )

    def close(self) -> None:
        """Give it up."""
        os.close(self._file)


class CollectionFolder:
    """The folder of one collection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def schema(self) -> CollectionSchema:
        """As given when the collection was made."""
        return msgspec.json.decode((self.path / _SCHEMA).read_bytes(), type=CollectionSchema)

    def current(self) -> Path:
        """The shard folder that counts."""
        return self.path / (self.path / _CURRENT).read_text().strip()

    def following(self) -> Path:
        """Where the next generation will be built; absent."""
        number = int(self.current().name[1:]) + 1
        path = self.path / f"g{number:06d}"
        remove(path)
        return path

    def switch(self, generation: Path) -> None:
        """Make `generation`, which is durable already, the one that counts. Atomic and durable."""
        replace_file(self.path / _CURRENT, generation.name.encode())

    def tidy(self) -> None:
        """Remove what an interrupted build left."""
        keep = {_SCHEMA, _CURRENT, self.current().name}
        for path in self.path.iterdir():
            if path.name not in keep:
                remove(path)


class DataFolder:
    """All collections of an engine process.

    engine.lock                      {"pid", "started_at", "socket"}; held with flock while the process lives
    aliases.json                     alias -> collection
    collections/<name>/schema.json
    collections/<name>/CURRENT       the name of the generation that counts
    collections/<name>/g000001/      a shard of Qdrant Edge
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._promised_bytes = 0
        self._collections = path / "collections"
        self._collections.mkdir(parents=True, exist_ok=True)
        for leftover in self._collections.glob(".*"):
            remove(leftover)

    def names(self) -> list[str]:
        """All collections, sorted."""
        return sorted(p.name for p in self._collections.iterdir() if p.name[0] != ".")

    def collection(self, name: str) -> CollectionFolder | None:
        """None when there is none."""
        path = self._collections / name
        return CollectionFolder(path) if path.is_dir() else None

    def draft(self, name: str, schema: CollectionSchema) -> tuple[Path, Path]:
        """Begin a collection: its hidden folder and, within, where the shard goes. `publish` makes it real."""
        path = self._collections / f".{name}.new"
        remove(path)
        path.mkdir()
        replace_file(path / _SCHEMA, msgspec.json.format(msgspec.json.encode(schema)))
        replace_file(path / _CURRENT, b"g000001")
        return path, path / "g000001"

    def publish(self, draft: Path, name: str) -> CollectionFolder:
        """Make a draft, whose shard is closed, the collection `name`."""
        sync_tree(draft)
        path = self._collections / name
        draft.rename(path)
        sync_folder(self._collections)
        return CollectionFolder(path)

    def condemn(self, folder: CollectionFolder) -> Path:
        """Take a collection away at once; the path given back can be removed at leisure."""
        trash = self._collections / f".{folder.name}.gone"
        remove(trash)
        folder.path.rename(trash)
        sync_folder(self._collections)
        return trash

    def aliases(self) -> dict[str, str]:
        """As last written."""
        path = self.path / _ALIASES
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}

    def write_aliases(self, aliases: dict[str, str]) -> None:
        """Replace all of them, atomically and durably."""
        replace_file(self.path / _ALIASES, msgspec.json.encode(aliases))

    def require_space(self, wanted: int = 0, *, reserve: int = DISK_RESERVE_BYTES) -> None:
        """DiskFull when fewer than `wanted` bytes and the reserve are free."""
        status = os.statvfs(self.path)
        free = status.f_bavail * status.f_frsize
        if free < wanted + reserve:
            raise DiskFull(
                f"{self.path}: {free >> 20} MiB free, {(wanted + reserve) >> 20} MiB needed; nothing was written, "
                "make room and repeat",
                free_bytes=free,
            )

    @contextmanager
    def space_for(self, sent: int) -> Generator[None, None, None]:
        """Keep room for a write of `sent` bytes while the block runs, beside the writes under way. DiskFull."""
        wanted = BYTES_PER_BYTE_SENT * sent
        self.require_space(self._promised_bytes + wanted)
        self._promised_bytes += wanted
        try:
            yield
        finally:
            self._promised_bytes -= wanted


@contextmanager
def disk_errors() -> Generator[None, None, None]:
    """Turn the operating system's word for a full disk into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(f"{error.filename or 'data folder'}: no space left; make room and repeat") from None


def replace_file(path: Path, content: bytes) -> None:
    """Write `path` so that at every moment it is the old or the new file; durable on return."""
    draft = path.with_name(f".{path.name}.tmp")
    with disk_errors():
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames and new names within `path` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(path: Path) -> None:
    """Make every file and folder below `path` durable."""
    for base, _, names in os.walk(path):
        for name in names:
            with (Path(base) / name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(base))


def remove(path: Path) -> None:
    """Remove a file or a folder; absent is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def blocks_bytes(path: Path) -> int:
    """What the files below `path` take on disk; holes in sparse files take nothing."""
    return sum((Path(base) / name).stat().st_blocks * 512 for base, _, names in os.walk(path) for name in names)


def sparse_copy(source: Path, target: Path) -> int:
    """Copy a folder, holes as holes, into `target`, which must not exist. Gives the bytes copied.

    It is not durable yet, for writes wait meanwhile: `sync_tree` makes it so.
    """
    copied = 0
    for base, _, names in os.walk(source):
        folder = target / Path(base).relative_to(source)
        folder.mkdir(parents=True)
        for name in names:
            copied += _sparse_copy_file(Path(base) / name, folder / name)
    return copied


def warm(path: Path) -> None:
    """Read all files below `path` once. Loading a shard maps them and, on cold pages, stops the process ten times longer."""
    for base, _, names in os.walk(path):
        for name in names:
            with (Path(base) / name).open("rb", buffering=0) as file:
                for at, end in _extents(file.fileno()):
                    for piece in range(at, end, _PIECE_BYTES):
                        os.pread(file.fileno(), min(end - piece, _PIECE_BYTES), piece)


def _sparse_copy_file(source: Path, target: Path) -> int:
    copied = 0
    with source.open("rb", buffering=0) as read, target.open("xb", buffering=0) as written:
        os.ftruncate(written.fileno(), os.fstat(read.fileno()).st_size)
        for begin, end in _extents(read.fileno()):
            at = begin
            while at < end and (piece := os.pread(read.fileno(), min(end - at, _PIECE_BYTES), at)):
                at += os.pwrite(written.fileno(), piece, at)
            copied += at - begin
    return copied


def _extents(handle: int) -> Iterator[tuple[int, int]]:
    """Where a file has content: begin and end of each piece between holes."""
    size = os.fstat(handle).st_size
    at = 0
    while at < size:
        try:
            at = os.lseek(handle, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(handle, at, os.SEEK_HOLE)
        yield at, end
        at = end
