"""HTML: the main content as headings and blocks; navigation, scripts and the like are left out. Never recursive."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from vectis.domain.errors import UnreadableDocument
from vectis.ingest.parse.outline import BlockKind, OutlineBuilder

DEPTH_MAX = 1000
_MAIN = ("main", "[role=main]", "article", "div.document", "div.body", "#content")
_DROPPED = {
    "script", "style", "nav", "noscript", "template", "svg", "iframe", "button", "select", "aside", "footer", "form",
    "head", "canvas", "object", "video", "audio", "map", "dialog",
}  # fmt: skip
_DROPPED_ROLES = {"navigation", "search", "banner", "contentinfo", "complementary"}
_BLOCKS = {
    "p", "div", "section", "article", "main", "blockquote", "figure", "figcaption", "details", "summary", "address", "dt", "dd",
    "dl", "fieldset", "hr", "header", "body", "hgroup", "center", "td", "th", "tr", "table", "tbody", "thead", "tfoot", "caption",
}  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = {"ul", "ol", "menu"}
_LAYOUT_CONTENT = {"h1", "h2", "h3", "h4", "h5", "h6", "pre", "table"}
_NEVER_NESTS = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "p", "li", "dt", "dd",
    "td", "th", "tr", "tbody", "thead", "tfoot", "option", "optgroup", "colgroup", "rt", "rp", "html", "head", "body",
}  # fmt: skip
"""Empty elements and those whose end tag may be left out."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)")
_PERMALINKS = {"¶", "#", "§", "\N{LINK SYMBOL}", ""}


def parse_html(text: str, outline: OutlineBuilder) -> None:
    """Add the page's main content to `outline`; its title is that of the page."""
    tree = _tree(text)
    title = tree.css_first("title") if tree.root else None
    outline.title = " ".join(_text_of(title).split()) if title else ""
    root = next((found for selector in _MAIN if (found := tree.css_first(selector))), None) or tree.body
    if root:
        heading = root.css_first("h1")
        headline = " ".join(_text_of(heading).split()).rstrip("¶#§ ") if heading else ""
        if headline and headline in outline.title:
            outline.title = headline
        _HtmlWalk(outline).run(root)


def parse_fragment(text: str, outline: OutlineBuilder) -> None:
    """Add a piece of HTML that stands within another format."""
    tree = _tree(text)
    if tree.body:
        _HtmlWalk(outline).run(tree.body)


def _tree(text: str) -> LexborHTMLParser:
    """The parsed tree. Building it takes time in proportion to its depth, so too deep a one is refused before."""
    counts: dict[str, int] = {}
    depth = 0
    for match in _TAG.finditer(text):
        closing, name = match[1], match[2].lower()
        if name in _NEVER_NESTS:
            continue
        count = counts.get(name, 0)
        if not closing:
            counts[name] = count + 1
            depth += 1
        elif count:
            counts[name] = count - 1
            depth -= 1
        if depth > DEPTH_MAX:
            raise UnreadableDocument(f"more than {DEPTH_MAX} elements are open within each other", maximum=DEPTH_MAX)
    return LexborHTMLParser(text)


class _HtmlWalk:
    """Goes down and up the tree step by step and gathers lines until a block ends."""

    def __init__(self, outline: OutlineBuilder) -> None:
        self._outline = outline
        self._line: list[str] = []
        self._lists: list[int | None] = []
        self._marker = ""
        self._items: list[str] = []

    def run(self, root: LexborNode) -> None:
        """Visit everything below `root` in reading order."""
        above: list[LexborNode] = []
        node = root.first_child
        while node is not None or above:
            if node is None:
                closed = above.pop()
                self._leave(closed)
                node = closed.next
            elif self._enter(node):
                above.append(node)
                node = node.first_child
            else:
                node = node.next
        self._flush()
        self._flush_list()

    def _enter(self, node: LexborNode) -> bool:
        """Take a node in; True when its children are to be visited."""
        self._outline.check()
        tag = node.tag or ""
        if tag == "-text":
            self._line.append(node.text_content or "")
            return False
        if tag in _DROPPED or tag.startswith("-") or _is_noise(node, tag):
            return False
        if tag == "br":
            self._line.append(" ")
        elif tag == "pre":
            self._code(node)
            return False
        elif tag == "table" and not _is_layout(node):
            self._table(node)
            return False
        elif tag in _LISTS:
            self._flush()
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self._flush()
            self._begin_item()
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._flush()
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in _HEADINGS:
            text = self._taken()
            self._flush_list()
            self._outline.heading(_HEADINGS[tag], text)
        elif tag in _LISTS:
            self._flush()
            if self._lists:
                self._lists.pop()
            if not self._lists:
                self._flush_list()
        elif tag == "li" or tag in _BLOCKS:
            self._flush()

    def _begin_item(self) -> None:
        number = self._lists[-1] if self._lists else None
        self._marker = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def _taken(self) -> str:
        text = " ".join("".join(self._line).split())
        self._line = []
        return text

    def _flush(self) -> None:
        text = self._taken()
        if text and self._lists:
            indent = "  " * (min(len(self._lists), 20) - 1)
            self._items.append(f"{indent}{self._marker or '  '}{text}")
            self._marker = ""
        elif text:
            self._outline.add(BlockKind.PARAGRAPH, text)

    def _flush_list(self) -> None:
        self._outline.add(BlockKind.LIST, "\n".join(self._items))
        self._items = []

    def _code(self, node: LexborNode) -> None:
        self._flush()
        self._flush_list()
        self._outline.add(BlockKind.CODE, _text_of(node), _code_language(node))

    def _table(self, node: LexborNode) -> None:
        self._flush()
        self._flush_list()
        rows = (
            " | ".join(" ".join(_text_of(cell).split()) for cell in _children(row) if cell.tag in {"th", "td"})
            for row in node.css("tr")
        )
        caption = node.css_first("caption")
        if caption:
            self._outline.add(BlockKind.PARAGRAPH, " ".join(_text_of(caption).split()))
        self._outline.add(BlockKind.TABLE, "\n".join(row for row in rows if row.strip(" |")))


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next


def _text_of(node: LexborNode) -> str:
    """All text below `node` as written, `<br>` as a line end."""
    parts: list[str] = []
    for below in node.traverse(include_text=True):
        if below.tag == "-text":
            parts.append(below.text_content or "")
        elif below.tag == "br":
            parts.append("\n")
    return "".join(parts)


def _is_noise(node: LexborNode, tag: str) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    if "hidden" in attributes or attributes.get("aria-hidden") == "true" or attributes.get("role") in _DROPPED_ROLES:
        return True
    classes = (attributes.get("class") or "").split()
    if tag == "a" and ("headerlink" in classes or "anchor" in classes):
        return _text_of(node).strip() in _PERMALINKS
    return False


def _is_layout(table: LexborNode) -> bool:
    """Whether a table arranges a page rather than values."""
    return any(below.tag in _LAYOUT_CONTENT and below.mem_id != table.mem_id for below in table.traverse())


def _code_language(node: LexborNode) -> str:
    """From a class such as `language-python` or `highlight-python3` of the code, the `pre` or the two elements around it."""
    candidates: list[LexborNode | None] = [node.css_first("code"), node, node.parent]
    candidates.append(node.parent.parent if node.parent else None)
    for candidate in candidates:
        for name in ((candidate.attributes.get("class") or "") if candidate else "").split():
            prefix, _, language = name.partition("-")
            if prefix in {"language", "lang", "highlight", "brush"} and language and language != "source":
                return language
    return ""
