"""Reading documents from files, folders, git checkouts and JSONL. Blocks; it runs in the process of the command line."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any, cast

import msgspec

from vectis.domain.documents import Document, TextFormat
from vectis.domain.errors import InvalidInput
from vectis.domain.texts import sound
from vectis.ingest.checkout import Change, Checkout, read_checkout

FILE_BYTES_MAX = 8 * 1024 * 1024
JSONL_LINE_BYTES_MAX = 8 * 1024 * 1024
FILES_MAX = 1_000_000
_FORMATS = {
    ".md": TextFormat.MARKDOWN, ".markdown": TextFormat.MARKDOWN, ".mdx": TextFormat.MARKDOWN,
    ".html": TextFormat.HTML, ".htm": TextFormat.HTML, ".xhtml": TextFormat.HTML,
    ".rst": TextFormat.RST, ".txt": TextFormat.TEXT, ".text": TextFormat.TEXT,
}  # fmt: skip
_LINES = {".jsonl", ".ndjson"}
_SKIPPED_FOLDERS = {"node_modules", "__pycache__", "site-packages", "venv"}


class Skipped(msgspec.Struct, frozen=True):
    """Something that could not be read, and why. `place` is a path, with `:line` for a line of JSONL."""

    place: str
    reason: str


class Source(msgspec.Struct, frozen=True):
    """A named place to read from; the name keeps its documents apart from those of other sources.

    A file's id is `NAME/PATH`, the path being that below the source. A folder is called as itself; inside a git checkout,
    as the repository (by its origin, so the same on every machine) and the folder's path in it. A single file is a source
    of its own: id and name are equal. Lines of JSONL bring their own ids, which stay as they are.
    """

    name: str
    path: Path
    checkout: Checkout | None = None


def open_sources(arguments: Iterable[str]) -> list[Source]:
    """The sources that `PATH` and `NAME=PATH` arguments stand for. InvalidInput: nothing there, or a name twice."""
    sources: list[Source] = []
    for argument in arguments:
        name, separator, rest = argument.partition("=")
        is_named = bool(separator) and not Path(argument).exists()
        path = Path(rest if is_named else argument)
        if not path.exists():
            raise InvalidInput(f"there is no file or folder {str(path)!r}", path=str(path))
        sources.append(_source(path.resolve(), name if is_named else ""))
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"two sources would be called {name!r}; name them: NAME=PATH", name=name)
    return sources


def read_source(source: Source) -> Iterator[Document | Skipped]:
    """Its documents in order of their paths, and what could not be read; never raises for a file."""
    if source.path.is_dir():
        yield from _read_folder(source)
    elif source.path.suffix.lower() in _LINES:
        yield from _read_lines(source.path, source.name)
    else:
        format = _FORMATS.get(source.path.suffix.lower(), TextFormat.TEXT)
        change = source.checkout.changes.get(source.path.name) if source.checkout else None
        url = _url(source.checkout, source.path.name)
        yield _read_text(source.path, Document(source.name, "", "", format, source.name, url, _payload(change)))


def _source(path: Path, name: str) -> Source:
    folder = path if path.is_dir() else path.parent
    checkout = read_checkout(folder)
    base = checkout.name if checkout else folder.name
    if path.is_dir():
        return Source(name or base or "root", path, checkout)
    below = f"{checkout.name}/{path.name}" if checkout else path.name
    return Source(name or below, path, checkout)


def _read_folder(source: Source) -> Iterator[Document | Skipped]:
    files = source.checkout.files if source.checkout else _walk(source.path)
    count = 0
    for below in files:
        path = source.path / below
        suffix = path.suffix.lower()
        is_readable = suffix in _FORMATS or suffix in _LINES
        if not is_readable or not os.path.lexists(path):  # git also lists what was removed since the last commit
            continue
        count += 1
        if count > FILES_MAX:
            yield Skipped(
                str(source.path), f"more than {FILES_MAX} files; the rest is left out, ingest parts of the folder"
            )
            return
        if _leads_away(source.path, path):
            yield Skipped(str(path), "a symbolic link; it is not followed")
        elif suffix in _LINES:
            yield from _read_lines(path, source.name)
        else:
            change = source.checkout.changes.get(below) if source.checkout else None
            id = f"{source.name}/{below}"
            url = _url(source.checkout, below)
            yield _read_text(path, Document(id, "", "", _FORMATS[suffix], source.name, url, _payload(change)))


def _walk(root: Path) -> Iterator[str]:
    """Paths of the files below `root` with `/`, sorted within each folder; hidden and tools' folders are left out."""
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        below = Path(folder).relative_to(root)
        yield from ((below / file).as_posix() for file in sorted(files) if not file.startswith("."))


def _leads_away(root: Path, path: Path) -> bool:
    """Whether the file or a folder between `root` and it is a symbolic link."""
    return any(part.is_symlink() for part in (path, *path.parents) if part != root and root in part.parents)


def _read_text(path: Path, document: Document) -> Document | Skipped:
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            return Skipped(str(path), "not a regular file")
        if status.st_size > FILE_BYTES_MAX:
            return Skipped(str(path), f"{status.st_size} bytes, the maximum is {FILE_BYTES_MAX}")
        content = path.read_bytes()
    except OSError as error:
        return Skipped(str(path), error.strerror or type(error).__name__)
    if b"\x00" in content:
        return Skipped(str(path), "binary: it holds NUL bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Skipped(str(path), f"not UTF-8: byte {error.start} cannot be read")
    if not text.strip():
        return Skipped(str(path), "empty")
    if not document.id.isprintable():
        return Skipped(sound(str(path)), "its name has characters that cannot be printed")
    return msgspec.structs.replace(document, text=text)


def _payload(change: Change | None) -> dict[str, Any]:
    return {"commit": change.commit, "last_updated": change.date} if change and change.commit else {}


def _url(checkout: Checkout | None, below: str) -> str:
    return checkout.url_prefix + below if checkout and checkout.url_prefix else ""


def _read_lines(path: Path, source: str) -> Iterator[Document | Skipped]:
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(JSONL_LINE_BYTES_MAX + 1):
                number += 1
                place = f"{path}:{number}"
                if len(line) > JSONL_LINE_BYTES_MAX:
                    while line and not line.endswith(b"\n"):
                        line = file.readline(JSONL_LINE_BYTES_MAX + 1)
                    yield Skipped(place, f"the line is longer than {JSONL_LINE_BYTES_MAX} bytes")
                elif line.strip():
                    yield _document_of_line(line, place, source)
    except OSError as error:
        yield Skipped(str(path), error.strerror or type(error).__name__)


def _document_of_line(line: bytes, place: str, source: str) -> Document | Skipped:
    """`id` and `text` are needed; keys that a document does not have go to its payload."""
    try:
        decoded: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Skipped(place, f"not JSON: {error}")
    if not isinstance(decoded, dict):
        return Skipped(place, "not a JSON object")
    fields = cast("dict[str, Any]", decoded)
    known = {key: fields.pop(key) for key in Document.__struct_fields__ if key in fields}
    if isinstance(known.get("id"), int):
        known["id"] = str(known["id"])
    given: Any = known.pop("payload", None) or {}
    if not isinstance(given, dict):
        return Skipped(place, "payload is not an object")
    payload = fields | cast("dict[str, Any]", given)
    try:
        return msgspec.convert({"source": source, **known, "payload": payload}, Document)
    except msgspec.ValidationError as error:
        return Skipped(place, str(error))
