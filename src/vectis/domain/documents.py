"""Documents that users send and the chunks they become. Parsing and cutting live in ingest; vectors in points.py."""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from vectis.domain.points import PointId
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

_UUID_BITS = 0xFFFFFFFFFFFF_0FFF_3FFFFFFFFFFFFFFF
_UUID_8 = 0x000000000000_8000_8000000000000000
_DOCUMENT_CHARACTERS = 18


def chunk_id(collection: str, document_id: str, text_hash: str, occurrence: int) -> str:
    """The id of a chunk's point: a UUID of version 8 (RFC 9562), its first 64 bits the document's, the rest the chunk's own.

    `occurrence` tells equal texts of one document apart. The same arguments always give the same id.
    """
    document = "\x00".join((collection, document_id))
    own = "\x00".join((document, text_hash, str(occurrence)))
    digest = b"".join(blake2b(part.encode(), digest_size=8).digest() for part in (document, own))
    return str(UUID(int=int.from_bytes(digest, "big") & _UUID_BITS | _UUID_8))


def document_parts(point_ids: Iterable[PointId]) -> list[PointId]:
    """What the ids of each document's chunks have in common, so that they can be grouped without reading a payload.

    Any other point's id is its own.
    """
    return [id[:_DOCUMENT_CHARACTERS] if isinstance(id, str) and id[14] == "8" else id for id in point_ids]
