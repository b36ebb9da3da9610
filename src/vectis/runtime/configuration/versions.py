"""The configuration file of a server and every version of it that was applied. Applying one to processes is applying.py's.

Versions are kept in the data folder and not in the control store: which store it is, is itself a setting, and going back must
work while the store does not answer.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from vectis.domain.errors import Conflict, NotFound
from vectis.runtime.configuration.sources import ACTIVE_NAME, YAML
from vectis.runtime.paths import FolderLayout

BACKUP = ".backup"


class ConfigurationVersion(msgspec.Struct, frozen=True):
    """One configuration as it was given, who applied it and what became of it; `reason` says why it was taken back."""

    number: int
    at: datetime
    author: str
    description: str
    suffix: str
    text: str
    outcome: Literal["applied", "taken_back"]
    reason: str = ""


class VersionedFile:
    """A configuration file with its versions, one file each in `folder`. A kill leaves the file as it was before or after."""

    def __init__(self, folder: Path, file: Path) -> None:
        self._folder = folder
        self.file = file

    @property
    def inside(self) -> bool:
        """Whether it is the data folder's own, and not one that was named at the start."""
        return self.file.parent == self._folder.parent

    def text(self) -> str:
        """The active configuration; empty when there is none."""
        return self.file.read_text("utf-8") if self.file.exists() else ""

    def versions(self) -> list[ConfigurationVersion]:
        """All, newest first."""
        found = sorted(self._folder.glob("*.json"), reverse=True) if self._folder.is_dir() else []
        return [msgspec.json.decode(path.read_bytes(), type=ConfigurationVersion) for path in found]

    def version(self, number: int | None) -> ConfigurationVersion:
        """One of them; None: the one applied before the active one, or the last when the file was edited. Raises NotFound."""
        applied = [v for v in self.versions() if v.outcome == "applied"]
        if number is None:
            active, text = self.active(), self.text()
            earlier = [v for v in applied if v.text != text and (active is None or v.number < active)]
        else:
            earlier = [v for v in applied if v.number == number]
        if not earlier:
            raise NotFound("no such version of the configuration was applied; `vectis config history` lists them")
        return earlier[0]

    def active(self) -> int | None:
        """The number of the version that the file is; None when it was never applied or was edited since."""
        text = self.text()
        return next((v.number for v in self.versions() if v.outcome == "applied" and v.text == text), None)

    def take_format(self, suffix: str) -> None:
        """Be a file of this format from now on, when there is none yet. Conflict when there is one of another format."""
        if not self.file.exists():
            self.file = self.file.with_suffix(suffix)
        if _format(suffix) != _format(self.file.suffix):
            raise Conflict(
                f"{self.file} is {_format(self.file.suffix)}: give the configuration in that format, "
                "or remove the file and start the server anew",
                file=str(self.file),
            )

    def keep_point(self, author: str) -> None:
        """Keep the file as it is now, so that there is a way back to it. Nothing when it is a version already."""
        if self.active() is None:
            self._write(author, "as it was found", self.text(), "")

    def keep(self, author: str, description: str, text: str, *, taken_back: str = "") -> int:
        """Keep a version; gives its number. Unless it was `taken_back` it becomes the file, and the old file stands beside it."""
        number = self._write(author, description, text, taken_back)
        if not taken_back:
            if self.file.exists():
                _replace(self.file.with_name(self.file.name + BACKUP), self.file.read_bytes())
            _replace(self.file, text.encode())
        return number

    def _write(self, author: str, description: str, text: str, taken_back: str) -> int:
        number = max((int(path.stem) for path in self._folder.glob("*.json")), default=0) + 1
        outcome = "taken_back" if taken_back else "applied"
        version = ConfigurationVersion(
            number, datetime.now(UTC), author, description, self.file.suffix, text, outcome, taken_back
        )
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(self._folder / f"{number:06}.json", msgspec.json.encode(version))
        return number


def versioned_file(read_from: str, paths: FolderLayout) -> VersionedFile:
    """The configuration file of a data folder: the one that was `read_from`, else the folder's own."""
    return VersionedFile(paths.configuration, Path(read_from or paths.folder / f"{ACTIVE_NAME}.toml"))


def _format(suffix: str) -> str:
    return "YAML" if suffix in YAML else "TOML"


def _replace(path: Path, content: bytes) -> None:
    """All of it or nothing, also when the power goes: written beside, made durable, then renamed."""
    beside = path.with_name(f".{path.name}.partial")
    with beside.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
