"""What is known of a document as a whole: the mean of its chunks' vectors and all of its text. Pure."""

from array import array
from collections.abc import Sequence
from operator import add

import msgspec

from vectis.domain.points import Dense
from vectis.ingest.pipeline import PreparedChunk


class WholeDocument(msgspec.Struct):
    """Gathers what the chunks of a document add up to while they are written. The point of its first chunk carries it."""

    first: PreparedChunk
    chunks: Sequence[PreparedChunk]
    added: int = 0
    sums: list[float] = []

    def take(self, dense: Dense) -> None:
        """Add the vector of one chunk; each is to come once."""
        self.sums = list(map(add, self.sums, dense)) if self.added else list(dense)
        self.added += 1

    def mean(self) -> Dense | None:
        """The mean of the chunks' vectors, float32 of their dimension; None unless every chunk had one."""
        if self.added < len(self.chunks):
            return None
        return array("f", [total / self.added for total in self.sums])

    def text(self) -> str:
        """What BM25 sees of the whole document: all that it sees of the chunks."""
        return "\n".join(chunk.indexed_text for chunk in self.chunks)


def wholes(documents: Sequence[Sequence[PreparedChunk]]) -> list[WholeDocument]:
    """One for each document that has chunks."""
    return [WholeDocument(chunks[0], chunks) for chunks in documents if chunks]
