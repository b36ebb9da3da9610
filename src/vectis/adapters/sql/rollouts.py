"""Rollouts in the control store."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import rollout_judgements, rollout_lead, rollout_transitions, rollouts
from vectis.domain.errors import Conflict
from vectis.domain.judgements import Judgement
from vectis.domain.ports.rollouts import RolloutStore
from vectis.domain.rollouts import SETTLED, Phase, Rollout, Step, Transition

_ROLLOUTS_LOCK = 0x7EC7_0004
"""The advisory lock under which PostgreSQL serves one change of rollouts at a time, as SQLite does anyway."""

_SETTLED = tuple(step.value for step in SETTLED)


class SqlRollouts(StorePart, RolloutStore):
    """vectis.domain.ports.rollouts.RolloutStore."""

    async def add_rollout(self, rollout: Rollout, *, by: str) -> None:
        """See the port."""
        alias = rollout.spec.alias
        taken = sa.select(rollouts.c.id).where(rollouts.c.id == rollout.id)
        busy = sa.select(rollouts.c.id).where(rollouts.c.alias == alias, rollouts.c.step.not_in(_SETTLED))
        async with self._database.write(adds=True) as connection:
            await self._lock_rollouts(connection)
            if await connection.scalar(taken) is not None:
                raise Conflict(f"there is a rollout {rollout.id!r} already", rollout=rollout.id)
            if (other := await connection.scalar(busy)) is not None:
                raise Conflict(
                    f"rollout {other!r} of alias {alias!r} is under way: let it end, or abort it, and start again",
                    alias=alias,
                    rollout=other,
                )
            await connection.execute(sa.insert(rollouts).values(id=rollout.id, alias=alias, **_standing(rollout)))
            await _note(connection, rollout, by, rollout.created_at)

    async def keep_rollout(self, rollout: Rollout, *, by: str, now: datetime) -> bool:
        """See the port."""
        before = sa.select(rollouts).where(rollouts.c.id == rollout.id, rollouts.c.generation == rollout.generation - 1)
        statement = sa.update(rollouts).where(rollouts.c.id == rollout.id).values(_standing(rollout))
        async with self._database.write() as connection:
            await self._lock_rollouts(connection)
            row = (await connection.execute(before)).one_or_none()
            if row is None:
                return False
            if row.step in _SETTLED and rollout.step.value not in _SETTLED:
                await _require_newest(connection, rollout, row.sequence)
            await connection.execute(statement)
            await _note(connection, rollout, by, now)
            return True

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """See the port."""
        statement = sa.select(rollouts.c.rollout).where(rollouts.c.id == rollout_id)
        async with self._database.read() as connection:
            text = await connection.scalar(statement)
            return None if text is None else _rollout(text)

    async def rollouts(self, *, limit: int, alias: str | None = None) -> list[Rollout]:
        """See the port."""
        statement = sa.select(rollouts.c.rollout).order_by(rollouts.c.sequence.desc()).limit(limit)
        if alias is not None:
            statement = statement.where(rollouts.c.alias == alias)
        async with self._database.read() as connection:
            return [_rollout(text) for text in await connection.scalars(statement)]

    async def unfinished_rollouts(self) -> list[Rollout]:
        """See the port."""
        unfinished = sa.select(rollouts.c.rollout).where(rollouts.c.step != Step.DONE.value)
        async with self._database.read() as connection:
            return [_rollout(text) for text in await connection.scalars(unfinished.order_by(rollouts.c.sequence))]

    async def transitions(self, rollout_id: str) -> list[Transition]:
        """See the port."""
        columns = rollout_transitions.c
        statement = sa.select(rollout_transitions).where(columns.rollout == rollout_id).order_by(columns.generation)
        async with self._database.read() as connection:
            return [_transition(row) for row in await connection.execute(statement)]

    async def switches(self) -> dict[tuple[str, Phase], int]:
        """See the port."""
        columns = rollout_transitions.c
        statement = (
            sa.select(rollouts.c.alias, columns.phase, sa.func.count())
            .join_from(rollout_transitions, rollouts, columns.rollout == rollouts.c.id)
            .where(columns.step == Step.SWITCH.value)
            .group_by(rollouts.c.alias, columns.phase)
        )
        async with self._database.read() as connection:
            return {(alias, Phase(phase)): count for alias, phase, count in await connection.execute(statement)}

    async def keep_judgements(self, rollout_id: str, generation: int, judgements: Mapping[str, Judgement]) -> None:
        """See the port."""
        there = sa.select(rollouts.c.id, sa.literal(generation), sa.literal(to_json(judgements)))
        statement = self._insert(rollout_judgements).from_select(
            ["rollout", "generation", "judgements"], there.where(rollouts.c.id == rollout_id)
        )
        statement = statement.on_conflict_do_update(
            index_elements=[rollout_judgements.c.rollout, rollout_judgements.c.generation],
            set_={"judgements": statement.excluded.judgements},
        )
        async with self._database.write() as connection:
            await connection.execute(statement)

    async def judgements(self, rollout_id: str) -> dict[int, dict[str, Judgement]]:
        """See the port."""
        columns = rollout_judgements.c
        statement = sa.select(rollout_judgements).where(columns.rollout == rollout_id).order_by(columns.generation)
        async with self._database.read() as connection:
            rows = await connection.execute(statement)
            return {row.generation: msgspec.json.decode(row.judgements, type=dict[str, Judgement]) for row in rows}

    async def lead_rollouts(self, worker: str, *, now: datetime, until: datetime) -> bool:
        """See the port."""
        statement = self._insert(rollout_lead).values(only=1, worker=worker, until=until)
        statement = statement.on_conflict_do_update(
            index_elements=[rollout_lead.c.only],
            set_={"worker": statement.excluded.worker, "until": statement.excluded.until},
            where=sa.or_(rollout_lead.c.worker == worker, rollout_lead.c.until <= now),
        ).returning(rollout_lead.c.worker)
        async with self._database.write() as connection:
            return await connection.scalar(statement) is not None

    async def _lock_rollouts(self, connection: AsyncConnection) -> None:
        if not self._database.sqlite:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ROLLOUTS_LOCK)))


async def _require_newest(connection: AsyncConnection, rollout: Rollout, sequence: int) -> None:
    alias = rollout.spec.alias
    newer = sa.select(rollouts.c.id).where(rollouts.c.alias == alias, rollouts.c.sequence > sequence).limit(1)
    if (other := await connection.scalar(newer)) is not None:
        raise Conflict(
            f"alias {alias!r} has a newer rollout, {other!r}: rollout {rollout.id!r} can no longer be taken up again",
            alias=alias,
            rollout=other,
        )


async def _note(connection: AsyncConnection, rollout: Rollout, by: str, at: datetime) -> None:
    await connection.execute(
        sa.insert(rollout_transitions).values(
            rollout=rollout.id,
            generation=rollout.generation,
            at=at,
            by=by,
            phase=rollout.phase.value,
            step=rollout.step.value,
            stage=rollout.stage,
            reason=rollout.reason,
        )
    )


def _standing(rollout: Rollout) -> dict[str, object]:
    """The columns that change with each generation."""
    return {"generation": rollout.generation, "step": rollout.step.value, "rollout": to_json(rollout)}


def _rollout(text: str) -> Rollout:
    return msgspec.json.decode(text, type=Rollout)


def _transition(row: sa.Row[tuple[object, ...]]) -> Transition:
    return Transition(
        generation=row.generation,
        at=row.at,
        by=row.by,
        phase=Phase(row.phase),
        step=Step(row.step),
        stage=row.stage,
        reason=row.reason,
    )
