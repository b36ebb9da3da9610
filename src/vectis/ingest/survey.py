"""What it would take to make the documents of a collection searchable under another profile, from a sample of them."""

import asyncio
from collections.abc import Sequence

import msgspec

from vectis.domain.embedders import Embedders
from vectis.domain.errors import UnreadableDocument
from vectis.domain.ports.control import DocumentStore, StoredDocument
from vectis.domain.ports.embedder import Embedder
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.profiles import CollectionProfile, EmbeddingProfile
from vectis.ingest.parse.document import parse_document
from vectis.ingest.pipeline import prepare

DOCUMENTS_MAX = 200
"""How many documents are looked at: a second or two for pages of documentation."""


class Survey(msgspec.Struct, frozen=True):
    """Of `sampled` documents: their `chunks`, the tokens of all distinct texts of them, and of those not embedded before."""

    sampled: int
    chunks: int
    tokens: int
    tokens_to_embed: int


class Surveyor:
    """Cuts a sample as an ingest would, and asks the embedding cache what it knows. Nothing is embedded or written."""

    def __init__(self, store: DocumentStore, embedders: Embedders, embeddings: EmbeddingCache) -> None:
        self._store = store
        self._embedders = embedders
        self._embeddings = embeddings

    async def survey(self, collection: str, profile: CollectionProfile, embedding: EmbeddingProfile) -> Survey:
        """Look at up to 200 documents that are chosen by their content. Raises as `Embedders.of` does."""
        embedder = await self._embedders.of(embedding)
        documents = await self._store.sample_documents(collection, limit=DOCUMENTS_MAX)
        chunks, tokens = await asyncio.to_thread(_cut, collection, documents, profile, embedder)
        held = await self._embeddings.held(embedding, list(tokens))
        to_embed = sum(count for text, count in tokens.items() if text not in held)
        return Survey(len(documents), chunks, sum(tokens.values()), to_embed)


def _cut(
    collection: str, documents: Sequence[StoredDocument], profile: CollectionProfile, embedder: Embedder
) -> tuple[int, dict[str, int]]:
    """How many chunks there are, and the tokens of each distinct text with its prefix. Blocks."""
    chunks = 0
    tokens: dict[str, int] = {}
    for stored in documents:
        try:
            parsed = parse_document(stored.document)
        except UnreadableDocument:
            continue
        for chunk in prepare(collection, stored.document, parsed, profile, embedder.count_tokens):
            chunks += 1
            text = embedder.profile.document_prefix + chunk.indexed_text
            if text not in tokens:
                tokens[text] = embedder.count_tokens(text)
    return chunks, tokens
