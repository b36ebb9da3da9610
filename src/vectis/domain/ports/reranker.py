"""Scoring texts against a query by a model that reads both."""

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Says how well texts answer a query."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score per text, in order, higher is better; scores of different queries do not compare.

        Raises RerankerUnavailable; never gives fewer scores than there are texts.
        """
        ...

    async def close(self) -> None:
        """Release threads and connections; later calls raise RerankerUnavailable."""
        ...
