"""Feedback in the control store."""

import msgspec
import sqlalchemy as sa

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import feedback
from vectis.domain.feedback import Opinion
from vectis.domain.ports.feedback import FeedbackStore

OPINIONS_PER_KEY = 50
"""Rows of one routing key under one version of a route: what is said about some results of the few queries that count."""


class SqlFeedback(StorePart, FeedbackStore):
    """vectis.domain.ports.feedback.FeedbackStore."""

    async def put_opinion(self, opinion: Opinion) -> bool:
        """See the port."""
        answered, columns = opinion.answered, feedback.c
        row = {
            "alias": answered.alias,
            "route_version": answered.route_version,
            "query": answered.query,
            "result": opinion.result,
            "kind": opinion.kind.value,
            "key": answered.key,
            "at": opinion.at,
            "opinion": to_json(opinion),
        }
        said = sa.select(sa.func.count()).where(
            columns.alias == answered.alias,
            columns.route_version == answered.route_version,
            columns.key == answered.key,
        )
        put = self._insert(feedback).values(row).on_conflict_do_nothing()
        async with self._database.write(adds=True) as connection:
            if (await connection.scalar(said) or 0) >= OPINIONS_PER_KEY:
                return False
            await connection.execute(put)
            return True

    async def opinions(self, alias: str, route_version: int) -> list[Opinion]:
        """See the port."""
        columns = feedback.c
        statement = sa.select(columns.opinion).where(columns.alias == alias, columns.route_version >= route_version)
        async with self._database.read() as connection:
            texts = await connection.scalars(statement.order_by(columns.at, columns.query, columns.result))
            return [msgspec.json.decode(text, type=Opinion) for text in texts]
