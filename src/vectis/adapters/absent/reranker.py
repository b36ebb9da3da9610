"""The reranker of a server without one: every call says so."""

from collections.abc import Sequence

from vectis.domain.errors import RerankerUnavailable


class AbsentReranker:
    """Raises RerankerUnavailable on every use."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Raises RerankerUnavailable, for no texts too."""
        raise RerankerUnavailable("no reranker: set reranker.kind to http or cross_encoder")

    async def close(self) -> None:
        """Nothing to release."""
