"""Where the log of a server goes: standard error, and a file that is turned over when it is full. Only supervisors write."""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from vectis.domain.errors import InvalidSetting
from vectis.runtime.settings import LogSettings

WriteLine = Callable[[bytes], None]
"""Takes one line without its end; never raises."""


def to_stderr(line: bytes) -> None:
    """See WriteLine."""
    with suppress(OSError, ValueError):  # whoever read our standard error is gone; nobody else need know
        sys.stderr.buffer.write(line + b"\n")
        sys.stderr.buffer.flush()


class LogSink:
    """Lines of the supervisor itself come as to a text stream, those of its children as bytes."""

    def __init__(self) -> None:
        self._file: RotatingFileHandler | None = None

    def point(self, settings: LogSettings, folder: Path) -> None:
        """Write the file of these settings too, from now on; relative ones are in the data folder. InvalidSetting."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        if not settings.file:
            return
        path = folder / settings.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = RotatingFileHandler(
                path, maxBytes=settings.file_bytes_max, backupCount=settings.files_max - 1, encoding="utf-8"
            )
        except OSError as error:
            raise InvalidSetting(f"log.file: {path} cannot be written: {error.strerror}", key="log.file") from None
        file.handleError = _told_already
        self._file = file

    def line(self, line: bytes) -> None:
        """See WriteLine."""
        to_stderr(line)
        if self._file is not None:
            self._file.handle(logging.makeLogRecord({"msg": line.decode("utf-8", "replace")}))

    def write(self, text: str) -> int:
        """As a text stream does; `text` is whole lines."""
        self.line(text.removesuffix("\n").encode())
        return len(text)

    def flush(self) -> None:
        """Every line is written out at once."""


def _told_already(record: logging.LogRecord) -> None:
    """A full disk stops no server: standard error has the line."""
