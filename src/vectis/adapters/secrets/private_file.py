"""A secret in a file that only its owner can read."""

import os
import secrets
from pathlib import Path

from vectis.domain.errors import InvalidSetting

_BYTES = 32


def kept_secret(file: Path, *, setting: str) -> bytes:
    """The secret in `file`, made at the first call by whichever process comes first. InvalidSetting when it cannot be kept."""
    try:
        if not file.exists():
            _make(file)
        return file.read_bytes()
    except OSError as error:
        raise InvalidSetting(
            f"{file} cannot be read or written ({error.strerror}); give the secret as {setting} instead", key=setting
        ) from None


def renew_secret(file: Path, *, setting: str) -> None:
    """Put another secret in the place of the one in `file`, whole or not at all. InvalidSetting when it cannot be kept."""
    try:
        _write_beside(file).replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise InvalidSetting(f"{file} cannot be written ({error.strerror})", key=setting) from None


def _make(file: Path) -> None:
    """Whole and on the disk before anyone sees it; one that another process made meanwhile stays."""
    beside = _write_beside(file)
    try:
        os.link(beside, file)
    except FileExistsError:
        return
    finally:
        beside.unlink()


def _write_beside(file: Path) -> Path:
    """A secret that nobody had before, on the disk in a file beside `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as content:
        content.write(secrets.token_hex(_BYTES))
        content.flush()
        os.fsync(content.fileno())
    return beside
