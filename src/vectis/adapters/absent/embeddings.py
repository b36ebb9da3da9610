"""The embedding cache of a server that keeps none."""

from collections.abc import Mapping, Sequence

from vectis.domain.points import Dense
from vectis.domain.profiles import EmbeddingProfile


class NoEmbeddings:
    """vectis.domain.ports.embeddings.EmbeddingCache that knows nothing."""

    async def known(self, profile: EmbeddingProfile, texts: Sequence[str]) -> dict[str, Dense]:
        """None of them."""
        return {}

    async def held(self, profile: EmbeddingProfile, texts: Sequence[str]) -> set[str]:
        """None of them."""
        return set()

    def remember(self, profile: EmbeddingProfile, vectors: Mapping[str, Dense], took_s: float) -> None:
        """Forgotten at once."""

    async def clear(self) -> int:
        """There is nothing."""
        return 0
