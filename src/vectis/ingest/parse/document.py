"""The one way in: a document to its outline, by its format."""

from collections.abc import Callable

from vectis.domain.documents import Document, TextFormat
from vectis.domain.errors import UnreadableDocument
from vectis.ingest.parse.html import parse_html
from vectis.ingest.parse.markdown import parse_markdown
from vectis.ingest.parse.outline import PARSE_SECONDS_MAX, TEXT_CHARACTERS_MAX, OutlineBuilder, ParsedDocument
from vectis.ingest.parse.plain import parse_plain
from vectis.ingest.parse.rst import parse_rst

PARSER_VERSION = 1
"""Grows when the same text is read differently, so that kept documents are cut anew."""

_PARSERS: dict[TextFormat, Callable[[str, OutlineBuilder], None]] = {
    TextFormat.MARKDOWN: parse_markdown,
    TextFormat.HTML: parse_html,
    TextFormat.RST: parse_rst,
    TextFormat.TEXT: parse_plain,
}


def parse_document(document: Document, *, seconds_max: float = PARSE_SECONDS_MAX) -> ParsedDocument:
    """Sections, title and front matter of `document`; the same text always gives the same outline.

    Raises UnreadableDocument when it is binary or beyond the bounds of size, nesting or time. Blocks; run it in a thread.
    """
    text = document.text
    if len(text) > TEXT_CHARACTERS_MAX:
        raise UnreadableDocument(
            f"the text has {len(text)} characters, the maximum is {TEXT_CHARACTERS_MAX}; split the document",
            given=len(text),
            maximum=TEXT_CHARACTERS_MAX,
        )
    if "\x00" in text:
        raise UnreadableDocument("the text holds a NUL character, so it is binary; send text")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    outline = OutlineBuilder(seconds_max=seconds_max)
    _PARSERS[document.format](text, outline)
    return outline.build(document.title)
