"""Making vectors of text: the dense embedder and the sparse BM25 encoder."""

from collections.abc import Sequence
from typing import Protocol

from vectis.domain.points import Dense, SparseVector
from vectis.domain.profiles import EmbeddingProfile


class Embedder(Protocol):
    """Dense vectors. The same text under the same profile gives the same vector up to rounding."""

    @property
    def profile(self) -> EmbeddingProfile:
        """What makes its vectors comparable. EmbedderUnavailable when no model can be reached."""
        ...

    async def embed_documents(self, texts: Sequence[str]) -> list[Dense]:
        """One unit-length vector per text, in order. Longer texts are truncated at `profile.max_tokens`.

        Raises EmbedderUnavailable; never returns fewer vectors than texts.
        """
        ...

    async def embed_query(self, text: str) -> Dense:
        """The vector of one query. Raises EmbedderUnavailable."""
        ...

    def count_tokens(self, text: str) -> int:
        """How many tokens of the model the text has, special tokens not counted, without truncation."""
        ...


class EmbedderSource(Protocol):
    """Where embedders of a kind of models come from: each profile has its own, what is heavy they share."""

    def usual(self, model: str) -> EmbeddingProfile | None:
        """The profile of `model` when nobody wishes otherwise; None for a model that is not of this source."""
        ...

    def check(self, profile: EmbeddingProfile, *, at: str) -> None:
        """Raise InvalidInput, naming the field below `at`, when its model makes no such vectors. Asks nobody; not of prefixes."""
        ...

    async def embedder(self, profile: EmbeddingProfile) -> Embedder:
        """The embedder of a profile that passes `check`.

        Raises EmbedderUnavailable when the model is not here, InvalidSetting when it is not what it should be.
        """
        ...

    async def close(self) -> None:
        """Release threads and connections; later calls raise EmbedderUnavailable."""
        ...


class SparseEncoder(Protocol):
    """BM25 vectors. Pure computing, microseconds a text; never unavailable."""

    def encode_document(self, text: str, avg_len: float) -> SparseVector:
        """Term weights for a corpus whose average length is `avg_len` tokens after stop words."""
        ...

    def encode_query(self, text: str) -> SparseVector:
        """Weight 1 for each distinct term; empty when only stop words are left."""
        ...

    def length(self, text: str) -> int:
        """Number of tokens after stop words."""
        ...

    def term(self, word: str) -> int | None:
        """The index that a single word becomes, None for a stop word. Cached."""
        ...
