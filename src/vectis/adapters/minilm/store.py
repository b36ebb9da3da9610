"""Keeping the built graph as a file: one builder at a time, whole or not there, checked before each use."""

import errno
import fcntl
import os
import subprocess
import sys
from hashlib import file_digest, sha256
from pathlib import Path

from vectis.adapters.minilm.weights import MiniLmWeights
from vectis.domain.errors import DiskFull, InvalidSetting

GRAPH_VERSION = 1
"""To be raised when build_graph makes another graph of the same weights."""


def ensure_graph(weights: MiniLmWeights, folder: Path) -> Path:
    """The ONNX file of `weights` in `folder`; built when it is absent, half-written or foreign (a second or two).

    The name ends with the SHA-256 of the content, so the file vouches for itself. Any number of processes may call this at
    once: one builds, the others wait. Raises DiskFull, or InvalidSetting when the folder cannot be written.
    """
    stem = f"minilm-{weights.revision[:12]}-g{GRAPH_VERSION}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = _sound_file(folder, stem)
        if found is not None:
            return found
        with (folder / f"{stem}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _sound_file(folder, stem) or _build(weights, folder, stem)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space in {folder} for the MiniLM graph (91 MB): free some and start again") from error
        raise InvalidSetting(
            f"the MiniLM graph cannot be kept in {folder} ({error.strerror}): name a folder that can be written",
            path=str(folder),
        ) from error


def _sound_file(folder: Path, stem: str) -> Path | None:
    for path in sorted(folder.glob(f"{stem}-*.onnx")):
        with path.open("rb") as file:
            if path.stem.endswith(file_digest(file, "sha256").hexdigest()):
                return path
    return None


def _build(weights: MiniLmWeights, folder: Path, stem: str) -> Path:
    # In a process of its own: onnx is needed once, its memory not for as long as this process lives.
    command = [sys.executable, "-m", "vectis.adapters.minilm.graph", str(weights.model)]
    content = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True).stdout
    for unsound in folder.glob(f"{stem}-*.onnx"):
        unsound.unlink(missing_ok=True)
    # The lock is held, so the name of the unfinished file can be fixed: a killed builder leaves one, not many.
    unfinished = folder / f"{stem}.unfinished"
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path = folder / f"{stem}-{sha256(content).hexdigest()}.onnx"
    unfinished.replace(path)
    return path
