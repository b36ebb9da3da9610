"""The average lengths behind a collection's BM25 vectors: measured on the first texts, watched from then on."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from vectis.domain.collections import Bm25Fit, DocumentLengths
from vectis.domain.errors import CollectionNotFound
from vectis.domain.ports.control import CollectionStore

DRIFT_MAX = 0.10
"""How far, as a share, the true average chunk may be from the one that the vectors were made with."""

DOCUMENT_DRIFT_MAX = 0.50
"""The same of whole documents, whose order hardly changes while their average is between half and twice the true one."""


class LengthStatistics:
    """Keeps the fits of collections in the store. One process changes a fit at a time; the totals are an estimate."""

    def __init__(self, store: CollectionStore) -> None:
        self._store = store
        self._one_at_a_time = asyncio.Lock()

    async def avg_len(self, collection: str, lengths: Sequence[int]) -> float:
        """The average chunk that stored vectors are made with; that of `lengths`, kept from then on, when there is none yet."""
        async with self._one_at_a_time:
            fit = await self._fit(collection)
            if fit is None:
                fit = Bm25Fit(avg_len=_average(lengths))
                await self._store.set_bm25(collection, fit)
            return fit.avg_len

    async def document_avg_len(self, collection: str, lengths: Sequence[int]) -> float:
        """The same for whole documents; their chunks' average is known before."""
        async with self._one_at_a_time:
            fit = await self._known(collection)
            documents = fit.documents
            if documents is None:
                documents = DocumentLengths(_average(lengths))
                await self._store.set_bm25(collection, replace(fit, documents=documents))
            return documents.avg_len

    async def add(self, collection: str, lengths: Sequence[int], document_lengths: Sequence[int]) -> None:
        """Count newly written texts. Those written just before a kill may be missed or, never both, counted twice."""
        if not lengths and not document_lengths:
            return
        async with self._one_at_a_time:
            fit = await self._known(collection)
            documents = fit.documents
            if documents is not None:
                documents = replace(
                    documents,
                    tokens=documents.tokens + sum(document_lengths),
                    documents=documents.documents + len(document_lengths),
                )
            totals = replace(
                fit, tokens=fit.tokens + sum(lengths), chunks=fit.chunks + len(lengths), documents=documents
            )
            await self._store.set_bm25(collection, totals)

    async def fit(self, collection: str, avg_len: float) -> None:
        """Make chunks' vectors with `avg_len` from now on, documents' with their true average; the totals stay."""
        async with self._one_at_a_time:
            fit = await self._fit(collection) or Bm25Fit(avg_len)
            documents = None if fit.documents is None else replace(fit.documents, avg_len=_true_document(fit.documents))
            await self._store.set_bm25(collection, replace(fit, avg_len=avg_len, documents=documents))

    async def settle(self, collection: str, lengths: Sequence[int], document_lengths: Sequence[int]) -> None:
        """Replace the totals by those of all chunks and documents of the collection."""
        async with self._one_at_a_time:
            fit = await self._known(collection)
            documents = fit.documents
            if documents is not None:
                documents = replace(documents, tokens=sum(document_lengths), documents=len(document_lengths))
            totals = replace(fit, tokens=sum(lengths), chunks=len(lengths), documents=documents)
            await self._store.set_bm25(collection, totals)

    async def _known(self, collection: str) -> Bm25Fit:
        return await self._fit(collection) or Bm25Fit(1.0)

    async def _fit(self, collection: str) -> Bm25Fit | None:
        kept = await self._store.collection(collection)
        if kept is None:
            raise CollectionNotFound(f"collection {collection!r} is gone", name=collection)
        return kept.bm25


def true_average(fit: Bm25Fit) -> float:
    """The average length of the chunks written, as far as they were counted."""
    return max(1.0, fit.tokens / fit.chunks) if fit.chunks else fit.avg_len


def has_drifted(fit: Bm25Fit) -> bool:
    """Whether stored vectors were made with an average that is too far off: 10 % of a chunk, 50 % of a document."""
    documents = fit.documents
    return abs(true_average(fit) - fit.avg_len) > DRIFT_MAX * fit.avg_len or (
        documents is not None
        and abs(_true_document(documents) - documents.avg_len) > DOCUMENT_DRIFT_MAX * documents.avg_len
    )


def _true_document(fit: DocumentLengths) -> float:
    return max(1.0, fit.tokens / fit.documents) if fit.documents else fit.avg_len


def _average(lengths: Sequence[int]) -> float:
    return max(1.0, sum(lengths) / len(lengths)) if lengths else 1.0
