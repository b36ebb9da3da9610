"""BM25 vectors by the engine's own encoder, for both engines. Weighing by rarity (IDF) is the collection's, not done here."""

from functools import lru_cache

from qdrant_edge import Bm25, Bm25Config

from vectis.domain.points import SparseVector
from vectis.domain.texts import sound

AVG_LENS_MAX = 32
TERMS_MAX = 65_536
COUNTING_K = 2.0**20
"""So large a k that a weight is all but the count of its term, and float32 gives the count back exactly."""


class EdgeBm25:
    """English BM25 with k = 1.2 and b = 0.75 (Robertson and Zaragoza, 2009), terms hashed to 32 bits.

    What the encoder does to words, by observation: it cuts at everything that is no letter or digit (`foo_bar`, `a.b`,
    `don't`, `x-y`, URLs), not at the humps of `CamelCase`, nor between Chinese or Japanese characters; folds case (also `É`)
    but neither accents nor full-width letters; drops English stop words, single letters of contractions among them; stems
    (`running`, `runs` -> `run`). Numbers and letters beside each other stay one word (`k8s`); `C++` and `c#` both become `c`.
    """

    def __init__(self) -> None:
        self._query_encoder = Bm25()
        self._counter = Bm25(Bm25Config(k=COUNTING_K, b=0.0))
        self._document_encoder = lru_cache(maxsize=AVG_LENS_MAX)(_document_encoder)
        self.term = lru_cache(maxsize=TERMS_MAX)(self._find_term)
        """The index that `encode_query` gives a word; the lowest one when it cuts the word; None for a stop word."""

    def encode_document(self, text: str, avg_len: float) -> SparseVector:
        """Term weights for a corpus of `avg_len` tokens on average, of which one decimal counts; less than 1 means 1."""
        vector = self._document_encoder(max(1.0, round(avg_len, 1))).embed_document(sound(text))
        return SparseVector(vector.indices, vector.values)

    def encode_query(self, text: str) -> SparseVector:
        """Weight 1 for each distinct term; empty when only stop words are left."""
        vector = self._query_encoder.embed_query(sound(text))
        return SparseVector(vector.indices, vector.values)

    def length(self, text: str) -> int:
        """Number of tokens after stop words."""
        # Without length normalisation (b = 0) a term's weight is w = n (k + 1) / (n + k), so n = w k / (k + 1 - w).
        weights = self._counter.embed_document(sound(text)).values
        return sum(round(weight * COUNTING_K / (COUNTING_K + 1 - weight)) for weight in weights)

    def _find_term(self, word: str) -> int | None:
        return min(self._query_encoder.embed_query(sound(word)).indices, default=None)


def _document_encoder(avg_len: float) -> Bm25:
    return Bm25(Bm25Config(avg_len=avg_len))
