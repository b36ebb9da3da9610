"""Markdown (CommonMark with tables): blocks by markdown-it, the text within them by inline.py, raw HTML by html.py."""

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from vectis.domain.errors import UnreadableDocument
from vectis.ingest.parse.front_matter import payload_of, split_front_matter, title_of
from vectis.ingest.parse.html import parse_fragment
from vectis.ingest.parse.inline import plain_text
from vectis.ingest.parse.outline import BlockKind, OutlineBuilder

NESTING_MAX = 100
_ADMONITION = re.compile(r"^(?:/{3,}|:{3,}|!!!|\?\?\?\+?)[ \t]*(.*)$", re.MULTILINE)


def parse_markdown(text: str, outline: OutlineBuilder) -> None:
    """Add the document's blocks and front matter to `outline`. UnreadableDocument when it is nested too deeply."""
    front, body = split_front_matter(text)
    outline.title = title_of(front)
    outline.payload = payload_of(front)
    tokens = _BLOCKS.parse(body, {"outline": outline})
    if any(token.level >= NESTING_MAX - 1 for token in tokens):
        raise UnreadableDocument(f"quotes or lists are nested deeper than {NESTING_MAX}", maximum=NESTING_MAX)
    _MarkdownWalk(outline).run(tokens)


def _check_time(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A block rule that never matches: markdown-it calls it at every line, which bounds the whole."""
    state.env["outline"].check()
    return False


def _block_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": NESTING_MAX}).enable("table")
    parser.core.ruler.disable(["inline", "text_join"])
    parser.block.ruler.before(
        "table", "check_time", _check_time, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    return parser


_BLOCKS = _block_parser()


class _MarkdownWalk:
    """Follows the flat token stream; lists become lines, tables rows."""

    def __init__(self, outline: OutlineBuilder) -> None:
        self._outline = outline
        self._lists: list[int | None] = []
        self._marker = ""
        self._lines: list[str] = []
        self._rows: list[str] = []
        self._cells: list[str] = []
        self._open = ""

    def run(self, tokens: list[Token]) -> None:
        """Visit every token once."""
        handlers: dict[str, Callable[[Token], None]] = {
            "heading_open": self._remember,
            "paragraph_open": self._remember,
            "th_open": self._remember,
            "td_open": self._remember,
            "inline": self._text,
            "fence": self._code,
            "code_block": self._code,
            "html_block": self._html,
            "bullet_list_open": self._open_list,
            "ordered_list_open": self._open_list,
            "bullet_list_close": self._close_list,
            "ordered_list_close": self._close_list,
            "list_item_open": self._open_item,
            "tr_close": self._close_row,
            "table_close": self._close_table,
        }
        for token in tokens:
            handler = handlers.get(token.type)
            if handler:
                handler(token)
        self._flush_list()

    def _remember(self, token: Token) -> None:
        self._open = token.type + token.tag

    def _text(self, token: Token) -> None:
        if self._open.startswith("heading_open"):
            self._flush_list()
            self._outline.heading(int(self._open[-1]), plain_text(token.content))
        elif self._open.startswith(("th_open", "td_open")):
            self._cells.append(plain_text(token.content))
        else:
            text = plain_text(_ADMONITION.sub(r"\1", token.content))
            if self._lists:
                self._line(text)
            else:
                self._outline.add(BlockKind.PARAGRAPH, text)

    def _line(self, text: str) -> None:
        if text:
            indent = "  " * (len(self._lists) - 1)
            self._lines.append(f"{indent}{self._marker or '  '}{text}")
            self._marker = ""

    def _code(self, token: Token) -> None:
        self._flush_list()
        self._outline.add(BlockKind.CODE, token.content, token.info)

    def _html(self, token: Token) -> None:
        self._flush_list()
        parse_fragment(token.content, self._outline)

    def _open_list(self, token: Token) -> None:
        start = token.attrGet("start")
        self._lists.append(int(start or 1) if token.type.startswith("ordered") else None)

    def _close_list(self, token: Token) -> None:
        self._lists.pop()
        if not self._lists:
            self._flush_list()

    def _open_item(self, token: Token) -> None:
        number = self._lists[-1]
        self._marker = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def _flush_list(self) -> None:
        self._outline.add(BlockKind.LIST, "\n".join(self._lines))
        self._lines = []

    def _close_row(self, token: Token) -> None:
        self._rows.append(" | ".join(self._cells))
        self._cells = []

    def _close_table(self, token: Token) -> None:
        self._flush_list()
        self._outline.add(BlockKind.TABLE, "\n".join(row for row in self._rows if row.strip(" |")))
        self._rows = []
