"""Query vectors: each text is embedded once while its vector is known."""

from collections.abc import Sequence
from time import perf_counter

from vectis.domain.embedders import Embedders
from vectis.domain.errors import Conflict, EmbedderUnavailable
from vectis.domain.points import Dense
from vectis.domain.ports.embedder import Embedder
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.profiles import EmbeddingProfile


class QueryEmbeddings:
    """The embedders behind the embedding cache."""

    def __init__(self, embedders: Embedders, cache: EmbeddingCache) -> None:
        self._embedders = embedders
        self._cache = cache

    async def vector(self, profile: EmbeddingProfile, text: str) -> Dense:
        """The vector of `text` to compare with those of `profile`. Raises EmbedderUnavailable, which is not remembered."""
        prefixed = profile.query_prefix + text
        known = await self.known(profile, prefixed)
        if known is not None:
            return known
        embedder = await self._embedder(profile)
        started = perf_counter()
        vector = await embedder.embed_query(text)
        self.remember(profile, prefixed, vector, perf_counter() - started)
        return vector

    async def of_documents(self, profile: EmbeddingProfile, texts: Sequence[str]) -> list[Dense]:
        """The vectors of texts that are to stand for documents, in order; they are not kept. Raises EmbedderUnavailable."""
        return await (await self._embedder(profile)).embed_documents(texts)

    async def known(self, profile: EmbeddingProfile, key: str) -> Dense | None:
        """What `remember` kept, while it is there."""
        return (await self._cache.known(profile, [key])).get(key)

    def remember(self, profile: EmbeddingProfile, key: str, vector: Dense, took_s: float) -> None:
        """Keep a vector that took `took_s` seconds to make."""
        self._cache.remember(profile, {key: vector}, took_s)

    async def _embedder(self, profile: EmbeddingProfile) -> Embedder:
        try:
            return await self._embedders.of(profile)
        except Conflict as error:
            raise EmbedderUnavailable(f"{error.message}; or ask with mode sparse") from None
