"""The embedder of a server without a model: every call says what is missing and how to get it."""

from collections.abc import Sequence
from typing import NoReturn

from vectis.domain.errors import EmbedderUnavailable
from vectis.domain.points import Dense
from vectis.domain.profiles import EmbeddingProfile

RETRY_AFTER_S = 60.0
"""No call heals it; only an installation and a restart do."""


class AbsentEmbedder:
    """Raises EmbedderUnavailable with `reason` on every use. `reason` names what is missing and the remedy."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    @property
    def profile(self) -> EmbeddingProfile:
        """Raises EmbedderUnavailable."""
        self._refuse()

    async def embed_documents(self, texts: Sequence[str]) -> list[Dense]:
        """Raises EmbedderUnavailable, for no texts too."""
        self._refuse()

    async def embed_query(self, text: str) -> Dense:
        """Raises EmbedderUnavailable."""
        self._refuse()

    def count_tokens(self, text: str) -> int:
        """Raises EmbedderUnavailable."""
        self._refuse()

    async def close(self) -> None:
        """Nothing to release."""

    def _refuse(self) -> NoReturn:
        raise EmbedderUnavailable(f"no embedder: {self._reason}", retry_after_s=RETRY_AFTER_S)
