"""Query vectors: each text is embedded once while its vector is known."""

from time import perf_counter

from vectis.domain.points import Dense
from vectis.domain.ports.embedder import Embedder
from vectis.domain.ports.embeddings import EmbeddingCache
from vectis.domain.profiles import EmbeddingProfile


class QueryEmbeddings:
    """The embedder behind the embedding cache."""

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self._embedder = embedder
        self._cache = cache

    def fits(self, profile: EmbeddingProfile) -> bool:
        """Whether vectors of this embedder may be compared with those of `profile`. Raises EmbedderUnavailable."""
        return self._embedder.profile == profile

    async def vector(self, text: str) -> Dense:
        """The vector of `text`. Raises EmbedderUnavailable, which is not remembered."""
        profile = self._embedder.profile
        prefixed = profile.query_prefix + text
        known = (await self._cache.known(profile, [prefixed])).get(prefixed)
        if known is not None:
            return known
        started = perf_counter()
        vector = await self._embedder.embed_query(text)
        self._cache.remember(profile, {prefixed: vector}, perf_counter() - started)
        return vector
