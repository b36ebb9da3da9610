"""A value that stands elsewhere: in a file, or in what a command prints, so that any secret store fits. Nothing is logged."""

import shlex
import subprocess
from pathlib import Path

from vectis.domain.shapes import Shape

COMMAND_S = 10.0
BYTES_MAX = 65_536


class Reference(Shape, frozen=True):
    """Exactly one of `file` and `command`. A command is run without a shell, has ten seconds, and prints the value."""

    file: str = ""
    command: str | list[str] = ""

    def read(self) -> str:
        """The value, without the line end behind it. ValueError says what went wrong, and nothing of what was read."""
        if bool(self.file) == bool(self.command):
            raise ValueError("give either file or command")
        content = _of_file(self.file) if self.file else _of_command(self.command)
        if len(content) > BYTES_MAX:
            raise ValueError(f"more than {BYTES_MAX} bytes; is that the right place?")
        try:
            return content.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise ValueError("what was read is not UTF-8 text") from None


def _of_file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as opened:
            return opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None


def _of_command(command: str | list[str]) -> bytes:
    """Its standard error goes nowhere: it may hold what nobody should see."""
    words = shlex.split(command) if isinstance(command, str) else command
    try:
        run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"the command {words[0]} did not end within {COMMAND_S:g} s") from None
    except OSError as error:
        raise ValueError(f"the command {words[0]} cannot be run: {error.strerror}") from None
    if run.returncode != 0:
        raise ValueError(f"the command {words[0]} ended with status {run.returncode}; run it by hand to see why")
    return run.stdout
