"""Documents that users send and the chunks they become. Parsing and cutting live in ingest; vectors in points.py."""

from enum import StrEnum
from typing import Any

import msgspec

from vectis.domain.shapes import Shape


class TextFormat(StrEnum):
    """How the text of a document is written."""

    MARKDOWN = "markdown"
    HTML = "html"
    RST = "rst"
    TEXT = "text"


class Document(Shape, frozen=True, omit_defaults=True):
    """What a user sends. `id` is the user's own and unique in the collection; `source` groups documents that came together."""

    id: str
    text: str
    title: str = ""
    format: TextFormat = TextFormat.MARKDOWN
    source: str = ""
    url: str = ""
    payload: dict[str, Any] = {}


class Chunk(msgspec.Struct, frozen=True):
    """A piece of a document that becomes a point.

    `text` is the piece as written; `heading_path` are the headings above it, outermost first; `context` is the line put
    before the text for embedding and BM25 ("Title > Heading. "). `ordinal` counts from 0 within the document.
    """

    ordinal: int
    text: str
    heading_path: tuple[str, ...]
    context: str

    @property
    def indexed_text(self) -> str:
        """What is embedded and what BM25 sees."""
        return self.context + self.text


DOCUMENT_ID = "document_id"
"""The payload key that joins the chunks of one document. Always indexed in a document collection."""
