"""The average chunk length behind a collection's BM25 vectors: measured on the first chunks, watched from then on."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from vectis.domain.collections import Bm25Fit
from vectis.domain.errors import CollectionNotFound
from vectis.domain.ports.control import CollectionStore

DRIFT_MAX = 0.10
"""How far, as a share, the true average may be from the one that the vectors were made with."""


class LengthStatistics:
    """Keeps the fits of collections in the store. One process changes a fit at a time; the totals are an estimate."""

    def __init__(self, store: CollectionStore) -> None:
        self._store = store
        self._one_at_a_time = asyncio.Lock()

    async def avg_len(self, collection: str, lengths: Sequence[int]) -> float:
        """The average that stored vectors are made with; that of `lengths`, kept from then on, when there is none yet."""
        async with self._one_at_a_time:
            fit = await self._fit(collection)
            if fit is None:
                fit = Bm25Fit(avg_len=max(1.0, sum(lengths) / len(lengths)) if lengths else 1.0)
                await self._store.set_bm25(collection, fit)
            return fit.avg_len

    async def add(self, collection: str, lengths: Sequence[int]) -> None:
        """Count newly written chunks. Chunks written just before a kill may be missed or, never both, counted twice."""
        if not lengths:
            return
        async with self._one_at_a_time:
            fit = await self._fit(collection)
            if fit is not None:
                totals = replace(fit, tokens=fit.tokens + sum(lengths), chunks=fit.chunks + len(lengths))
                await self._store.set_bm25(collection, totals)

    async def fit(self, collection: str, avg_len: float) -> None:
        """Make vectors with `avg_len` from now on; the totals stay."""
        async with self._one_at_a_time:
            fit = await self._fit(collection) or Bm25Fit(avg_len)
            await self._store.set_bm25(collection, replace(fit, avg_len=avg_len))

    async def settle(self, collection: str, lengths: Sequence[int]) -> None:
        """Replace the totals by those of all chunks of the collection."""
        async with self._one_at_a_time:
            fit = await self._fit(collection)
            if fit is not None:
                await self._store.set_bm25(collection, replace(fit, tokens=sum(lengths), chunks=len(lengths)))

    async def _fit(self, collection: str) -> Bm25Fit | None:
        kept = await self._store.collection(collection)
        if kept is None:
            raise CollectionNotFound(f"collection {collection!r} is gone", name=collection)
        return kept.bm25


def true_average(fit: Bm25Fit) -> float:
    """The average length of what has been written, as far as it was counted."""
    return max(1.0, fit.tokens / fit.chunks) if fit.chunks else fit.avg_len


def has_drifted(fit: Bm25Fit) -> bool:
    """Whether the stored vectors were made with an average that is more than 10 % off."""
    return abs(true_average(fit) - fit.avg_len) > DRIFT_MAX * fit.avg_len
