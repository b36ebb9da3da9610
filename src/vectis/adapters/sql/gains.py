"""What modes of search gain, in the control store."""

import msgspec
import sqlalchemy as sa

from vectis.adapters.sql.part import StorePart, lock_collection, to_json
from vectis.adapters.sql.tables import collections
from vectis.adapters.sql.tables import gains as kept
from vectis.domain.gains import Gain


class SqlGains(StorePart):
    """vectis.domain.ports.gains.GainStore."""

    async def put_gain(self, collection: str, gain: Gain) -> None:
        """See the port."""
        row = {"collection": collection, "mode": gain.mode, "against": gain.against, "gain": to_json(gain)}
        statement = self._insert(kept).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=[kept.c.collection, kept.c.mode, kept.c.against], set_={"gain": row["gain"]}
        )
        async with self._database.write(adds=True) as connection:
            await lock_collection(connection, collection)
            await connection.execute(statement)

    async def gains(self, collection: str) -> list[Gain]:
        """See the port."""
        statement = sa.select(kept.c.gain).where(kept.c.collection == collection)
        async with self._database.read() as connection:
            return [_gain(text) for text in await connection.scalars(statement.order_by(kept.c.mode, kept.c.against))]

    async def all_gains(self) -> dict[str, list[Gain]]:
        """See the port."""
        statement = sa.select(kept.c.collection, kept.c.gain).join(collections)
        statement = statement.where(collections.c.deletion.is_(None))
        found: dict[str, list[Gain]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(statement.order_by(kept.c.collection, kept.c.mode, kept.c.against)):
                found.setdefault(row.collection, []).append(_gain(row.gain))
        return found


def _gain(text: str) -> Gain:
    return msgspec.json.decode(text, type=Gain)
