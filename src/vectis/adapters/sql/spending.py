"""What days have cost, in the control store."""

from datetime import date

import sqlalchemy as sa

from vectis.adapters.sql.part import StorePart
from vectis.adapters.sql.tables import spending


class SqlSpending(StorePart):
    """vectis.domain.ports.spending.SpendingStore."""

    async def spend(self, day: date, cost: float, *, most: float) -> bool:
        """See the port. One statement, so that nobody adds to a sum that another has just read."""
        if cost > most:
            return False
        added = self._insert(spending).values(day=day, cost=cost)
        total = spending.c.cost + added.excluded.cost
        statement = added.on_conflict_do_update(
            index_elements=[spending.c.day], set_={"cost": total}, where=total <= most
        )
        async with self._database.write(adds=True) as connection:
            return await connection.scalar(statement.returning(spending.c.day)) is not None

    async def give_back(self, day: date, cost: float) -> None:
        """See the port."""
        statement = sa.update(spending).where(spending.c.day == day).values(cost=spending.c.cost - cost)
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def spent(self, day: date) -> float:
        """See the port."""
        async with self._database.read() as connection:
            return await connection.scalar(sa.select(spending.c.cost).where(spending.c.day == day)) or 0.0
