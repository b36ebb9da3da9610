"""One server per data folder: the lock that a server holds while it lives, and who holds it now."""

import errno
import fcntl
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from vectis.domain.errors import DataFolderInUse, DiskFull, InvalidSetting

LOCK_NAME = "server.lock"
ENDING_S = 15.0
RETRY_S = 0.05
FULL = (errno.ENOSPC, errno.EDQUOT)


class HoldingServer(msgspec.Struct, frozen=True):
    """The server that holds a data folder."""

    pid: int
    started_at: datetime
    url: str
    version: str


@contextmanager
def hold(folder: Path, url: str) -> Generator[int]:
    """Hold `folder` (made when absent) for the server reachable at `url` while the block runs; gives the lock's descriptor.

    Hand the descriptor to child processes that use the folder: it stays held until the last of them is gone. When the
    holder is dead and only its children are left, they get 15 s to end. Raises DataFolderInUse, DiskFull, and
    InvalidSetting when the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in FULL:
            raise _disk_full(folder) from None
        raise InvalidSetting(
            f"the data folder {folder} cannot be used: {error.strerror}; choose another with --data-dir",
            folder=str(folder),
        ) from None
    try:
        _take(folder, lock, HoldingServer(os.getpid(), datetime.now(UTC), url, version("vectis")))
        yield lock
    finally:
        os.close(lock)


def holder(folder: Path) -> HoldingServer | None:
    """The server that holds `folder` now, None when there is none, whatever an earlier one left behind.

    Raises DataFolderInUse when the folder is held by something that does not say what it is.
    """
    try:
        with _gate(folder):
            lock = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return None if _try_lock(lock) else _read(lock, folder)
            finally:
                os.close(lock)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _take(folder: Path, lock: int, me: HoldingServer) -> None:
    patience, left = threading.Event(), round(ENDING_S / RETRY_S)
    while (found := _try_take(folder, lock, me)) is not None:
        if _alive(found.pid):
            raise _in_use(
                folder,
                f"by process {found.pid}, serving {found.url} since {found.started_at:%Y-%m-%d %H:%M:%S} UTC; "
                f"use it (--url {found.url}), stop it (kill {found.pid}), or choose another --data-dir",
                found,
            )
        if left == 0:
            raise _in_use(folder, f"by what process {found.pid} left running when it died; end it, or wait", found)
        # Only its children hold the lock still, and end within moments; a lock tells nobody when it goes.
        patience.wait(RETRY_S)
        left -= 1


def _try_take(folder: Path, lock: int, me: HoldingServer) -> HoldingServer | None:
    """None when the lock is ours now, else who has it."""
    with _gate(folder):
        if _try_lock(lock):
            _write(lock, me, folder)
            return None
        return _read(lock, folder)


def _in_use(folder: Path, by: str, found: HoldingServer) -> DataFolderInUse:
    return DataFolderInUse(f"the data folder {folder} is held {by}", folder=str(folder), pid=found.pid, url=found.url)


@contextmanager
def _gate(folder: Path) -> Generator[None]:
    """Keeps looking at the lock and taking it apart, so that a look never makes a server's start fail."""
    gate = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


def _try_lock(lock: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _read(lock: int, folder: Path) -> HoldingServer:
    try:
        return msgspec.json.decode(os.pread(lock, 65_536, 0), type=HoldingServer)
    except msgspec.DecodeError:
        raise DataFolderInUse(
            f"the data folder {folder} is held by a process that does not say which it is; "
            f"`fuser {folder / LOCK_NAME}` names it",
            folder=str(folder),
        ) from None


def _write(lock: int, who: HoldingServer, folder: Path) -> None:
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, msgspec.json.encode(who) + b"\n", 0)
    except OSError as error:
        if error.errno in FULL:
            raise _disk_full(folder) from None
        raise


def _disk_full(folder: Path) -> DiskFull:
    return DiskFull(f"no space left for {folder / LOCK_NAME}; free some and start again", folder=str(folder))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
