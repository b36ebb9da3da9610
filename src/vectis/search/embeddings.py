"""Query vectors: each text is embedded once while its vector is known."""

from time import perf_counter

from vectis.domain.embedders import Embedders
from vectis.domain.errors import Conflict, EmbedderUnavailable
from vectis.domain.points import Dense
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
        known = (await self._cache.known(profile, [prefixed])).get(prefixed)
        if known is not None:
            return known
        try:
            embedder = await self._embedders.of(profile)
        except Conflict as error:
            raise EmbedderUnavailable(f"{error.message}; or ask with mode sparse") from None
        started = perf_counter()
        vector = await embedder.embed_query(text)
        self._cache.remember(profile, {prefixed: vector}, perf_counter() - started)
        return vector
