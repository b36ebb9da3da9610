"""The command of an engine process. Starting and restarting it is the work of whoever supervises it."""

import sys
from pathlib import Path


def argv(folder: Path, socket: Path, parent_fd: int | None = None) -> list[str]:
    """The command of an engine process. It ends when `parent_fd`, the reading end of a pipe, reaches its end."""
    command = [sys.executable, "-m", "vectis.adapters.edge.process", "--folder", str(folder), "--socket", str(socket)]
    return command if parent_fd is None else [*command, "--parent-fd", str(parent_fd)]
