"""Query vectors, each text computed once while it is remembered. Keys are `embedding:<profile>:<text hash>`."""

from hashlib import blake2b

import msgspec

from vectis.domain.points import Dense, dense
from vectis.domain.ports.cache import Cache
from vectis.domain.ports.embedder import Embedder
from vectis.domain.profiles import EmbeddingProfile


class QueryEmbeddings:
    """The embedder behind a cache."""

    def __init__(self, embedder: Embedder, cache: Cache) -> None:
        self._embedder = embedder
        self._cache = cache
        self._prefixes: dict[EmbeddingProfile, str] = {}

    def fits(self, profile: EmbeddingProfile) -> bool:
        """Whether vectors of this embedder may be compared with those of `profile`. Raises EmbedderUnavailable."""
        return self._embedder.profile == profile

    async def vector(self, text: str) -> Dense:
        """The vector of `text`. Raises EmbedderUnavailable, which is not remembered."""
        profile = self._embedder.profile
        key = self._prefix(profile) + blake2b(text.encode(), digest_size=16).hexdigest()
        known = await self._cache.get(key)
        if known is not None:
            return dense(known)
        vector = await self._embedder.embed_query(text)
        await self._cache.put(key, vector.tobytes())
        return vector

    def _prefix(self, profile: EmbeddingProfile) -> str:
        if profile not in self._prefixes:
            digest = blake2b(msgspec.json.encode(profile), digest_size=8).hexdigest()
            self._prefixes[profile] = f"embedding:{digest}:"
        return self._prefixes[profile]
