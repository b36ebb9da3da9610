"""The audit in the control store."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import audit, audit_head
from vectis.domain.audit import Act, AuditEntry, AuditHead, SealKey, end_moved
from vectis.domain.ports.audit import AuditQuestion

_ONLY = 1
"""The one row of `audit_head`."""


class SqlAudit(StorePart):
    """vectis.domain.ports.audit.AuditStore. Who appends holds the head, so that the chain never forks."""

    async def append_audit(self, acts: Sequence[Act], key: SealKey) -> None:
        """See the port."""
        if not acts:
            return
        async with self._database.write() as connection:
            head = await self._held_head(connection)
            if head is not None and not key.ends(head):  # marking the end anew would hide that it was moved
                head, acts = await self._last(connection), [end_moved(acts[0].at), *acts]
            for act in acts:
                entry = key.next(head, act)
                head = key.head(entry)
                await connection.execute(sa.insert(audit).values(_row(entry)))
            assert head is not None
            await connection.execute(sa.update(audit_head).values(msgspec.structs.asdict(head)))

    async def audit_entries(self, *, after: int = 0, limit: int) -> list[AuditEntry]:
        """See the port."""
        statement = sa.select(audit).where(audit.c.sequence > after).order_by(audit.c.sequence).limit(limit)
        async with self._database.read() as connection:
            return [_entry(row) for row in await connection.execute(statement)]

    async def find_audit(self, question: AuditQuestion, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """See the port."""
        statement = sa.select(audit).order_by(audit.c.sequence.desc()).limit(limit)
        for name in ("actor", "action", "resource", "tenant", "decision"):
            if value := getattr(question, name):
                statement = statement.where(audit.c[name] == str(value))
        if question.since is not None:
            statement = statement.where(audit.c.at >= question.since)
        if question.until is not None:
            statement = statement.where(audit.c.at < question.until)
        if before is not None:
            statement = statement.where(audit.c.sequence < before)
        async with self._database.read() as connection:
            return [_entry(row) for row in await connection.execute(statement)]

    async def audit_head(self) -> AuditHead | None:
        """See the port."""
        statement = sa.select(audit_head.c.sequence, audit_head.c.seal, audit_head.c.mark)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None or not row.sequence else AuditHead(*row)

    async def _held_head(self, connection: AsyncConnection) -> AuditHead | None:
        """The head, held against other writers until the transaction ends; the first writer makes its row."""
        first = {"only": _ONLY, "sequence": 0, "seal": "", "mark": ""}
        await connection.execute(self._insert(audit_head).values(first).on_conflict_do_nothing())
        statement = sa.select(audit_head.c.sequence, audit_head.c.seal, audit_head.c.mark).with_for_update()
        row = (await connection.execute(statement)).one()
        return AuditHead(*row) if row.sequence else None

    async def _last(self, connection: AsyncConnection) -> AuditHead | None:
        statement = sa.select(audit.c.sequence, audit.c.seal).order_by(audit.c.sequence.desc()).limit(1)
        row = (await connection.execute(statement)).one_or_none()
        return None if row is None else AuditHead(row.sequence, row.seal, "")


def _row(entry: AuditEntry) -> dict[str, object]:
    act = entry.act
    return {
        "sequence": entry.sequence,
        "at": act.at,
        "actor": act.actor,
        "action": act.action,
        "resource": act.resource,
        "tenant": act.tenant,
        "decision": act.decision.value,
        "act": to_json(act),
        "seal": entry.seal,
    }


def _entry(row: sa.Row[tuple[object, ...]]) -> AuditEntry:
    """The act is the sealed JSON; a column beside it that says something else shows as an entry that does not hold."""
    act = msgspec.json.decode(row.act, type=Act)
    columns = (row.at, row.actor, row.action, row.resource, row.tenant, row.decision)
    same = columns == (act.at, act.actor, act.action, act.resource, act.tenant, act.decision.value)
    return AuditEntry(row.sequence, act, row.seal if same else "")
