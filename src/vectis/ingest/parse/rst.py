"""reStructuredText by docutils, with Sphinx's directives and roles read as text. It never opens a file or a socket."""

import io
import re
from threading import Lock
from typing import Any, ClassVar, cast

from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.parsers.rst import Directive, Parser, directives
from docutils.parsers.rst.states import Inliner
from docutils.utils import new_document

from vectis.domain.errors import UnreadableDocument
from vectis.ingest.parse.outline import BlockKind, OutlineBuilder

RST_CHARACTERS_MAX = 2 * 1024 * 1024
INLINE_CHARACTERS_MAX = 20_000
_ROLE = re.compile(r":[A-Za-z][\w+.-]*+(?::[\w+.-]++)*+:`([^`]*+)`")
_ROLE_TARGET = re.compile(r"\s*<[^<>]*+>$")
_SETTINGS: dict[str, Any] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 6,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "line_length_limit": RST_CHARACTERS_MAX,
}
_ONE_AT_A_TIME = Lock()
"""docutils keeps roles and directives in module globals."""


def parse_rst(text: str, outline: OutlineBuilder) -> None:
    """Add the document's blocks to `outline`. UnreadableDocument when it is too large or nested too deeply."""
    if len(text) > RST_CHARACTERS_MAX:
        raise UnreadableDocument(
            f"reStructuredText is read up to {RST_CHARACTERS_MAX} characters; split the document or send it as plain text",
            maximum=RST_CHARACTERS_MAX,
        )

    def check(*_place: object) -> None:
        outline.check()

    try:
        with _ONE_AT_A_TIME:
            tree: Any = new_document("document", _settings())
            tree.note_source = check  # docutils calls it at every line
            Parser(inliner=_bounded_inliner()).parse(text, tree)
        _RstWalk(outline).visit(tree, 0)
    except RecursionError:
        raise UnreadableDocument("the document's quotes, lists or directives are nested too deeply") from None


def _settings() -> Any:
    settings: Any = get_default_settings(cast("Any", Parser))
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    settings.warning_stream = io.StringIO()
    return settings


def _bounded_inliner() -> Any:
    """docutils' inliner, but that it leaves the markup of endless paragraphs alone.

    Not a subclass: docutils looks its patterns up in the very class of the instance.
    """
    inliner: Any = Inliner()
    parse = inliner.parse

    def bounded(text: str, *args: Any) -> Any:
        if len(text) > INLINE_CHARACTERS_MAX:
            return [nodes.Text(text.replace("\x00", "\\"))], []
        return parse(text, *args)

    inliner.parse = bounded
    return inliner


class _RstWalk:
    """Visits the tree, which docutils' own recursion has kept shallow."""

    def __init__(self, outline: OutlineBuilder) -> None:
        self._outline = outline

    def visit(self, node: Any, level: int) -> None:
        """Add what is below `node`; `level` is that of the section it stands in."""
        for child in node.children:
            if isinstance(child, nodes.section):
                self.visit(child, level + 1)
            elif isinstance(child, nodes.title) and isinstance(node, nodes.section):
                self._outline.heading(level, _text_of(child))
            else:
                self._block(child, level)

    def _block(self, node: Any, level: int) -> None:
        if isinstance(node, nodes.literal_block | nodes.doctest_block | nodes.math_block):
            self._code(node)
        elif isinstance(node, nodes.bullet_list | nodes.enumerated_list):
            self._list(node)
        elif isinstance(node, nodes.table):
            self._table(node)
        elif isinstance(node, nodes.system_message):
            self._unknown(node)
        elif isinstance(node, nodes.definition_list_item | nodes.field | nodes.option_list_item):
            self._definition(node, level)
        elif isinstance(node, nodes.TextElement):
            if not isinstance(node, nodes.comment | nodes.target | nodes.substitution_definition):
                self._outline.add(BlockKind.PARAGRAPH, _text_of(node))
        elif isinstance(node, nodes.Element) and not isinstance(node, nodes.Invisible | nodes.image):
            self.visit(node, level)

    def _code(self, node: Any) -> None:
        classes = [name for name in node["classes"] if name != "code"]
        language = "python" if isinstance(node, nodes.doctest_block) else (classes or [""])[0]
        self._outline.add(BlockKind.CODE, node.astext(), language)

    def _list(self, node: Any) -> None:
        """Plain items become the lines of one block; an item with code or a table in it is visited piece by piece."""
        lines: list[str] = []
        blocks: list[Any] = []
        self._items(node, 0, lines, blocks)
        self._outline.add(BlockKind.LIST, "\n".join(lines))
        for block in blocks:
            self._block(block, 0)

    def _items(self, node: Any, depth: int, lines: list[str], blocks: list[Any]) -> None:
        for number, item in enumerate(node.children, start=int(node.get("start", 1))):
            marker = f"{number}. " if isinstance(node, nodes.enumerated_list) else "- "
            for child in item.children:
                if isinstance(child, nodes.bullet_list | nodes.enumerated_list):
                    self._items(child, depth + 1, lines, blocks)
                elif isinstance(child, nodes.TextElement) and not isinstance(child, nodes.FixedTextElement):
                    lines.append("  " * depth + marker + _text_of(child))
                    marker = "  "
                else:
                    self._outline.add(BlockKind.LIST, "\n".join(lines))
                    lines.clear()
                    self._block(child, 0)

    def _table(self, node: Any) -> None:
        for title in node.findall(nodes.title):
            self._outline.add(BlockKind.PARAGRAPH, _text_of(title))
        rows = [" | ".join(_text_of(cell) for cell in row.children) for row in node.findall(nodes.row)]
        self._outline.add(BlockKind.TABLE, "\n".join(row for row in rows if row.strip(" |")))

    def _unknown(self, node: Any) -> None:
        """What docutils could not read is kept as it was written."""
        for block in node.findall(nodes.literal_block):
            self._outline.add(BlockKind.PARAGRAPH, _clean(block.astext()))

    def _definition(self, node: Any, level: int) -> None:
        """The term and, when it is short of structure, its first paragraph in one block."""
        term, body = node.children[0], node.children[-1]
        lead = [_text_of(child) for child in node.children[:-1]] or [_text_of(term)]
        first = body.children[0] if body.children else None
        if isinstance(first, nodes.paragraph):
            self._outline.add(BlockKind.PARAGRAPH, f"{' '.join(lead)}: {_text_of(first)}")
            rest = body.children[1:]
        else:
            self._outline.add(BlockKind.PARAGRAPH, " ".join(lead))
            rest = body.children
        for child in rest:
            self._block(child, level)


def _text_of(node: Any) -> str:
    return _clean(node.astext())


def _clean(text: str) -> str:
    return " ".join(_ROLE.sub(lambda m: _ROLE_TARGET.sub("", m[1]).lstrip("~!"), text).split())


class _Contents(Directive):
    """A Sphinx directive that docutils lacks: its argument and its content are text of the document."""

    has_content: ClassVar[bool] = True
    optional_arguments: ClassVar[int] = 1
    final_argument_whitespace: ClassVar[bool] = True
    option_spec: ClassVar[Any] = None

    def run(self) -> list[Any]:
        """The nodes of the argument and of the content."""
        container = nodes.container()
        if self.arguments:
            container += nodes.paragraph(self.arguments[0], self.arguments[0])
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


class _Nothing(Directive):
    """A Sphinx directive that holds no text for readers."""

    has_content: ClassVar[bool] = True
    optional_arguments: ClassVar[int] = 1
    final_argument_whitespace: ClassVar[bool] = True

    def run(self) -> list[Any]:
        """No nodes."""
        return []


_DOMAIN_OBJECTS = [
    "function", "method", "class", "attribute", "data", "exception", "module", "decorator", "property", "staticmethod",
    "classmethod", "describe", "object", "option", "envvar", "program", "confval", "cmdoption",
]  # fmt: skip
_READ = [
    *_DOMAIN_OBJECTS, *(f"py:{name}" for name in _DOMAIN_OBJECTS),
    *(f"c:{name}" for name in ("function", "type", "macro", "var", "member", "struct")),
    "cpp:function", "cpp:class", "js:function", "versionadded", "versionchanged", "versionremoved", "deprecated",
    "deprecated-removed", "seealso", "rubric", "glossary", "centered", "hlist", "only", "productionlist", "tab", "tabs",
    "tab-set", "tab-item", "dropdown", "opcode", "impl-detail", "availability", "audit-event", "todo",
]  # fmt: skip
_DROPPED = [
    "toctree", "index", "highlight", "currentmodule", "default-domain", "sectionauthor", "codeauthor", "tabularcolumns",
    "cssclass",
]  # fmt: skip

for _name in _READ:
    directives.register_directive(_name, _Contents)
for _name in _DROPPED:
    directives.register_directive(_name, _Nothing)
