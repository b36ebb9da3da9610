"""What was measured of aliases under rollout, in the control store."""

import struct
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import feedback, rollouts, shadow_pairs, traffic_ticks
from vectis.domain.evidence import ShadowPair, VariantTick
from vectis.domain.ports.traffic import TrafficStore
from vectis.domain.rollouts import SETTLED
from vectis.domain.traffic import PairReport, TickReport


class SqlTraffic(StorePart, TrafficStore):
    """vectis.domain.ports.traffic.TrafficStore."""

    async def put_traffic(self, ticks: Sequence[TickReport], pairs: Sequence[PairReport]) -> None:
        """See the port."""
        put = self._insert(traffic_ticks)
        put = put.on_conflict_do_update(
            index_elements=list(traffic_ticks.primary_key),
            set_={column: put.excluded[column] for column in ("tick", "keys")},
        )
        async with self._database.write(adds=True) as connection:
            if ticks:
                await connection.execute(put, [_tick_row(report) for report in ticks])
            if pairs:
                kept = self._insert(shadow_pairs).on_conflict_do_nothing()
                await connection.execute(kept, [_pair_row(report) for report in pairs])

    async def traffic(self, alias: str, route_version: int, *, since: datetime, before: datetime) -> list[TickReport]:
        """See the port."""
        columns = traffic_ticks.c
        statement = sa.select(traffic_ticks).where(
            columns.alias == alias,
            columns.route_version >= route_version,
            columns.started >= since,
            columns.started < before,
        )
        statement = statement.order_by(columns.started, columns.reporter, columns.variant)
        async with self._database.read() as connection:
            return [_report(row) for row in await connection.execute(statement)]

    async def shadow_pairs(self, alias: str, route_version: int, *, since: datetime) -> list[ShadowPair]:
        """See the port."""
        columns = shadow_pairs.c
        statement = sa.select(columns.pair).where(
            columns.alias == alias, columns.route_version >= route_version, columns.at >= since
        )
        statement = statement.order_by(columns.at, columns.reporter, columns.number)
        async with self._database.read() as connection:
            return [msgspec.json.decode(text, type=ShadowPair) for text in await connection.scalars(statement)]

    async def trim_traffic(self, before: datetime) -> None:
        """See the port."""
        under_way = sa.select(rollouts.c.alias).where(rollouts.c.step.not_in([step.value for step in SETTLED]))
        async with self._database.write() as connection:
            for table, age in (
                (traffic_ticks, traffic_ticks.c.started),
                (shadow_pairs, shadow_pairs.c.at),
                (feedback, feedback.c.at),
            ):
                await connection.execute(sa.delete(table).where(age < before, table.c.alias.not_in(under_way)))


def _tick_row(report: TickReport) -> dict[str, object]:
    return {
        "alias": report.alias,
        "route_version": report.route_version,
        "started": report.started,
        "variant": report.variant,
        "reporter": report.reporter,
        "tick": to_json(report.tick),
        "keys": struct.pack(f"<{len(report.keys)}Q", *sorted(report.keys)),
    }


def _pair_row(report: PairReport) -> dict[str, object]:
    return {
        "alias": report.alias,
        "route_version": report.route_version,
        "reporter": report.reporter,
        "number": report.number,
        "at": report.at,
        "pair": to_json(report.pair),
    }


def _report(row: sa.Row[tuple[object, ...]]) -> TickReport:
    return TickReport(
        alias=row.alias,
        route_version=row.route_version,
        started=row.started,
        variant=row.variant,
        reporter=row.reporter,
        tick=msgspec.json.decode(row.tick, type=VariantTick),
        keys=frozenset(struct.unpack(f"<{len(row.keys) // 8}Q", row.keys)),
    )
