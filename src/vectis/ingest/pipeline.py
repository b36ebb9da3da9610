"""From a kept document to the chunks that become points: ids, payload, and the fingerprint of how it was done. Pure."""

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from vectis.domain.documents import DOCUMENT_ID, Chunk, Document, chunk_id
from vectis.domain.ports.control import StoredDocument
from vectis.domain.profiles import CollectionProfile
from vectis.ingest.chunk import cut
from vectis.ingest.parse.document import PARSER_VERSION
from vectis.ingest.parse.outline import ParsedDocument
from vectis.ingest.split import CountTokens

RESERVED_KEYS = frozenset({DOCUMENT_ID, "title", "heading_path", "text", "ordinal", "source", "url", "content_hash"})
"""Payload keys of a chunk that Vectis writes; a document's own payload may not hold them."""

POINTS_VERSION = 2
"""Counts up when chunks become other points: 2 lets a document's ids begin alike and its first chunk carry the whole."""


class PreparedChunk(msgspec.Struct, frozen=True):
    """A chunk with the id and payload that its point gets."""

    id: str
    indexed_text: str
    payload: dict[str, Any]


def fingerprint(profile: CollectionProfile) -> str:
    """32 hexadecimal digits; equal as long as the same document becomes the same chunks with comparable vectors."""
    parts = (PARSER_VERSION, POINTS_VERSION, profile.chunking, profile.embedding)
    return _digest(msgspec.json.encode(parts, order="deterministic"))


def is_current(stored: StoredDocument, pipeline: str) -> bool:
    """Whether a document can be found as it was sent and as its collection's profile says."""
    is_indexed = stored.indexed_revision == stored.revision and stored.pipeline == pipeline
    return is_indexed and not stored.deleted and stored.error is None


def prepare(
    collection: str, document: Document, parsed: ParsedDocument, profile: CollectionProfile, count: CountTokens
) -> list[PreparedChunk]:
    """Cut `document`, which was parsed, as the collection's profile says.

    An id comes from the collection, the document and the chunk's own text (and, for equal texts, their order), so a chunk
    keeps its id as long as its text stands. Blocks; run it in a thread.
    """
    chunks = cut(parsed, profile.chunking, _room(profile, count), count)
    shared = _shared_payload(document, parsed)
    hashes = [_digest(chunk.indexed_text.encode()) for chunk in chunks]
    return [
        PreparedChunk(
            id=chunk_id(collection, document.id, digest, occurrence),
            indexed_text=chunk.indexed_text,
            payload={**shared, **_own_payload(chunk), "content_hash": digest},
        )
        for chunk, digest, occurrence in zip(chunks, hashes, _occurrences(hashes), strict=True)
    ]


def _room(profile: CollectionProfile, count: CountTokens) -> int:
    """How many tokens of a chunk the model reads, special ones counted."""
    if profile.embedding is None:
        return profile.chunking.target
    return profile.embedding.max_tokens - count(profile.embedding.document_prefix)


def _shared_payload(document: Document, parsed: ParsedDocument) -> dict[str, Any]:
    """What all chunks of a document say. The caller's payload wins over front matter, both over what the text suggests."""
    known: dict[str, Any] = {"language": parsed.code_language} if parsed.code_language else {}
    known |= parsed.payload | document.payload
    known |= {DOCUMENT_ID: document.id, "title": parsed.title}
    known |= {key: value for key, value in (("source", document.source), ("url", document.url)) if value}
    return known


def _own_payload(chunk: Chunk) -> dict[str, Any]:
    return {"heading_path": list(chunk.heading_path), "text": chunk.text, "ordinal": chunk.ordinal}


def _occurrences(hashes: Sequence[str]) -> list[int]:
    """For each hash how often it stood before."""
    seen: Counter[str] = Counter()
    numbers: list[int] = []
    for digest in hashes:
        numbers.append(seen[digest])
        seen[digest] += 1
    return numbers


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
