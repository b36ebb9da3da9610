"""Collections that missed writes, in the control store."""

from datetime import datetime

import sqlalchemy as sa

from vectis.adapters.sql.part import StorePart
from vectis.adapters.sql.tables import collections, divergences
from vectis.domain.ports.control import Divergence


class SqlDivergences(StorePart):
    """vectis.domain.ports.control.DivergenceStore. A removed collection takes its row with it."""

    async def note_divergence(self, collection: str, reason: str, now: datetime) -> None:
        """See the port."""
        first = sa.select(
            collections.c.name, sa.literal(1), sa.literal(now, divergences.c.since.type), sa.literal(reason)
        ).where(collections.c.name == collection)
        statement = self._insert(divergences).from_select(["collection", "missed", "since", "reason"], first)
        statement = statement.on_conflict_do_update(
            index_elements=[divergences.c.collection], set_={"missed": divergences.c.missed + 1}
        )
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def divergence(self, collection: str) -> Divergence | None:
        """See the port."""
        statement = sa.select(divergences).where(divergences.c.collection == collection)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None else Divergence(row.collection, row.missed, row.since, row.reason)
