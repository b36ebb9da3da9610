"""What every parser makes of a document: sections with their heading path, holding blocks of text. And its bounds."""

from collections import Counter
from enum import StrEnum
from time import monotonic
from typing import Any

import msgspec

from vectis.domain.errors import UnreadableDocument

TEXT_CHARACTERS_MAX = 8 * 1024 * 1024
BLOCKS_MAX = 200_000
HEADING_LEVEL_MAX = 9
PARSE_SECONDS_MAX = 30.0


class BlockKind(StrEnum):
    """What a block is; it decides where it may be cut."""

    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    CODE = "code"


class Block(msgspec.Struct, frozen=True):
    """A piece of text without blank edges. Items of a list and rows of a table (header first) are its lines.

    `language` is that of code, where the author named it.
    """

    kind: BlockKind
    text: str
    language: str = ""


class Section(msgspec.Struct, frozen=True):
    """The blocks under one heading, up to the next heading of any level."""

    heading_path: tuple[str, ...]
    blocks: tuple[Block, ...]


class ParsedDocument(msgspec.Struct, frozen=True):
    """A document's title, sections in order, and the payload its front matter gives."""

    title: str
    sections: tuple[Section, ...]
    payload: dict[str, Any] = {}

    @property
    def code_language(self) -> str:
        """The language that most of the code is written in; empty when no block names one."""
        languages = Counter(b.language for s in self.sections for b in s.blocks if b.language)
        return max(languages, key=lambda name: languages[name], default="")


class OutlineBuilder:
    """Takes headings and blocks in reading order and builds the sections.

    Every call checks the bounds, so a parser that keeps calling cannot run away: UnreadableDocument.
    """

    def __init__(self, *, seconds_max: float = PARSE_SECONDS_MAX) -> None:
        self._deadline = monotonic() + seconds_max
        self._count = 0
        self._path: list[tuple[int, str]] = []
        self._blocks: list[Block] = []
        self._sections: list[Section] = []
        self.title = ""
        self.payload: dict[str, Any] = {}

    def check(self) -> None:
        """Raise UnreadableDocument once the time for this document is used up."""
        if monotonic() > self._deadline:
            raise UnreadableDocument("the document takes too long to parse; split it or send it as plain text")

    def heading(self, level: int, text: str) -> None:
        """Begin a section. `level` counts from 1; a heading without text only ends the section before."""
        self.check()
        self._close()
        level = min(max(level, 1), HEADING_LEVEL_MAX)
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if text:
            self._path.append((level, text))

    def add(self, kind: BlockKind, text: str, language: str = "") -> None:
        """Append a block to the section; blank text is dropped."""
        self.check()
        text = text.strip("\n").rstrip() if kind is BlockKind.CODE else text.strip()
        if not text.strip():
            return
        self._count += 1
        if self._count > BLOCKS_MAX:
            raise UnreadableDocument(f"the document has more than {BLOCKS_MAX} blocks; split it", maximum=BLOCKS_MAX)
        self._blocks.append(Block(kind, text, language_name(language) if language else ""))

    def build(self, title: str) -> ParsedDocument:
        """The document. Its title is the one given, else the one the parser found, else the first heading."""
        self._close()
        first = next((s.heading_path[0] for s in self._sections if s.heading_path), "")
        return ParsedDocument(title or self.title or first, tuple(self._sections), self.payload)

    def _close(self) -> None:
        path = tuple(text for _, text in self._path)
        # A heading with nothing below it is kept: its words are part of the document.
        if self._blocks or (path and not any(s.heading_path[: len(path)] == path for s in self._sections[-1:])):
            self._sections.append(Section(path, tuple(self._blocks)))
        self._blocks = []


_LANGUAGE_NAMES = {
    "py": "python", "python3": "python", "pycon": "python", "py3": "python", "ipython": "python", "js": "javascript",
    "jsx": "javascript", "node": "javascript", "ts": "typescript", "tsx": "typescript", "sh": "bash", "shell": "bash",
    "zsh": "bash", "golang": "go", "rs": "rust", "rb": "ruby", "yml": "yaml", "c++": "cpp", "cs": "csharp", "c#": "csharp",
    "kt": "kotlin", "ps1": "powershell", "md": "markdown", "docker": "dockerfile",
}  # fmt: skip
_NO_LANGUAGE = {
    "",
    "text",
    "txt",
    "plain",
    "plaintext",
    "none",
    "console",
    "output",
    "terminal",
    "default",
    "log",
    "diff",
}


def language_name(given: str) -> str:
    """The usual name of a code language as an author wrote it (`py` -> `python`); empty for plain text and output."""
    words = given.strip().lower().lstrip("{.").split(",")[0].split("{")[0].split()
    name = words[0].rstrip("}") if words else ""
    if name in _NO_LANGUAGE or len(name) > 40:
        return ""
    return _LANGUAGE_NAMES.get(name, name)
