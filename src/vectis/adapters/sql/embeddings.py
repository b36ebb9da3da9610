"""Vectors of texts in the control store: the durable part of the embedding cache."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from vectis.adapters.sql.part import StorePart, sliced
from vectis.adapters.sql.tables import embeddings as kept
from vectis.domain.ports.embeddings import EmbeddingUsage, StoredEmbedding

_TRIM_TO = 0.9
"""Trimming goes on down to this part of the bound, so that it is not due again at once."""

_BATCH = 2000
"""Vectors removed in one transaction: other writers of SQLite wait some 40 ms for it."""


class SqlEmbeddings(StorePart):
    """vectis.domain.ports.embeddings.EmbeddingStore."""

    async def embeddings(self, profile: str, text_hashes: Sequence[bytes]) -> list[StoredEmbedding]:
        """See the port."""
        found: list[StoredEmbedding] = []
        async with self._database.look() as connection:
            for part in sliced(text_hashes):
                statement = sa.select(kept).where(_of(profile, part))
                found += [
                    StoredEmbedding(row.profile, row.text_hash, row.vector, row.cost_us, row.used_at)
                    for row in await connection.execute(statement)
                ]
        return found

    async def put_embeddings(self, embeddings: Sequence[StoredEmbedding]) -> None:
        """See the port. In order of their keys, so that two writers never wait for each other in a circle."""
        if not embeddings:
            return
        rows = [
            {
                "profile": each.profile,
                "text_hash": each.text_hash,
                "vector": each.vector,
                "size": len(each.vector),
                "cost_us": each.cost_us,
                "used_at": each.used_at,
            }
            for each in sorted(embeddings, key=lambda each: (each.profile, each.text_hash))
        ]
        async with self._database.write(adds=True) as connection:
            await connection.execute(self._insert(kept).on_conflict_do_nothing(), rows)

    async def touch_embeddings(self, profile: str, text_hashes: Sequence[bytes], now: datetime) -> None:
        """See the port."""
        async with self._database.write() as connection:
            for part in sliced(text_hashes):
                await connection.execute(sa.update(kept).where(_of(profile, part)).values(used_at=now))

    async def trim_embeddings(self, bytes_max: int) -> int:
        """See the port. Vectors differ little in size, so their average tells how many must go."""
        usage = await self.embedding_usage()
        if usage.bytes <= bytes_max:
            return 0
        excess = usage.bytes - int(bytes_max * _TRIM_TO)
        wanted, gone = -(-excess * usage.entries // usage.bytes), 0
        while gone < wanted:
            removed = await self._remove_oldest(min(_BATCH, wanted - gone))
            if not removed:
                break
            gone += removed
        return gone

    async def embedding_usage(self) -> EmbeddingUsage:
        """See the port."""
        statement = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(kept.c.size), 0))
        async with self._database.read() as connection:
            entries, size = (await connection.execute(statement)).one()
            return EmbeddingUsage(entries, int(size))

    async def clear_embeddings(self) -> int:
        """See the port."""
        async with self._database.write() as connection:
            return (await connection.execute(sa.delete(kept))).rowcount

    async def _remove_oldest(self, count: int) -> int:
        oldest = sa.select(kept.c.profile, kept.c.text_hash).order_by(kept.c.used_at).limit(count)
        async with self._database.write() as connection:
            statement = sa.delete(kept).where(sa.tuple_(kept.c.profile, kept.c.text_hash).in_(oldest))
            return (await connection.execute(statement)).rowcount


def _of(profile: str, text_hashes: Sequence[bytes]) -> sa.ColumnElement[bool]:
    return sa.and_(kept.c.profile == profile, kept.c.text_hash.in_(text_hashes))
