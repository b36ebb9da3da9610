"""The audit of every control store: one chain, whoever writes, and no way to change it unseen."""

import asyncio
from datetime import datetime, timedelta, timezone

import msgspec
import pytest
import sqlalchemy as sa
from control_suite import NOW

from vectis.access.audit import AuditTrail
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.adapters.sql.tables import audit, audit_head
from vectis.adapters.system.clock import SystemClock
from vectis.domain.audit import Act, Decision, SealKey
from vectis.domain.errors import InvalidInput
from vectis.domain.ports.audit import AuditQuestion

KEY = SealKey(b"0123456789abcdef")


def act(action: str, *, actor: str = "ada", decision: Decision = Decision.ALLOWED) -> Act:
    return Act(
        at=NOW, actor=actor, action=action, decision=decision, resource="collection docs", after={"a": [1, None]}
    )


@pytest.fixture
async def emptied(store: SqlStore) -> SqlStore:
    async with store._database.write() as connection:
        await connection.execute(sa.delete(audit))
        await connection.execute(sa.delete(audit_head))
    return store


@pytest.fixture
def trail(emptied: SqlStore) -> AuditTrail:
    return AuditTrail(emptied, KEY, SystemClock())


async def test_acts_come_back_in_order_and_hold(emptied: SqlStore, trail: AuditTrail) -> None:
    assert (await trail.check()).entries == 0
    await asyncio.gather(*(trail.record(act(f"a{n}")) for n in range(20)))
    await trail.record(act("last"))
    entries = [entry async for entry in trail.entries()]
    assert [entry.sequence for entry in entries] == list(range(1, 22))
    assert entries[-1].act == act("last")
    assert await trail.check() == msgspec.structs.replace(await trail.check(), entries=21, faults=[])


async def test_two_processes_write_one_chain(emptied: SqlStore, store_url: str) -> None:
    other = await open_store(store_url)
    try:
        for_two = [AuditTrail(part, KEY, SystemClock()) for part in (emptied, other)]
        await asyncio.gather(*(trail.record(act(f"a{n}")) for n in range(10) for trail in for_two))
        check = await for_two[0].check()
        assert (check.entries, check.faults) == (20, [])
    finally:
        await other.close()


async def test_finding_narrows_and_pages(trail: AuditTrail) -> None:
    for n in range(4):
        await trail.record(act("create", actor=f"u{n % 2}"))
    await trail.record(msgspec.structs.replace(act("drop", decision=Decision.REFUSED), at=NOW + timedelta(hours=1)))
    newest = await trail.find(AuditQuestion(), limit=2)
    assert [entry.sequence for entry in newest] == [5, 4]
    assert [entry.sequence for entry in await trail.find(AuditQuestion(), limit=9, before=4)] == [3, 2, 1]
    assert [e.sequence for e in await trail.find(AuditQuestion(actor="u1", action="create"), limit=9)] == [4, 2]
    assert [e.sequence for e in await trail.find(AuditQuestion(decision=Decision.REFUSED), limit=9)] == [5]
    assert [e.sequence for e in await trail.find(AuditQuestion(since=NOW + timedelta(minutes=1)), limit=9)] == [5]
    assert len(await trail.find(AuditQuestion(until=NOW + timedelta(minutes=1)), limit=9)) == 4


CHANGES = {
    "a changed act": sa.update(audit)
    .where(audit.c.sequence == 3)
    .values(act=sa.func.replace(audit.c.act, "ada", "eve")),
    "a changed column": sa.update(audit).where(audit.c.sequence == 3).values(actor="eve"),
    "a changed seal": sa.update(audit).where(audit.c.sequence == 3).values(seal="0" * 64),
    "a removed entry": sa.delete(audit).where(audit.c.sequence == 3),
    "the first entry removed": sa.delete(audit).where(audit.c.sequence == 1),
    "the last entry removed": sa.delete(audit).where(audit.c.sequence == 5),
    "an entry beyond the end": sa.update(audit).where(audit.c.sequence == 5).values(sequence=99),
    "an entry before the first": sa.update(audit).where(audit.c.sequence == 1).values(sequence=-7),
    "all entries removed": sa.delete(audit),
    "the end mark moved": sa.update(audit_head).values(sequence=4),
    "the end mark removed": sa.delete(audit_head),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_tampering_is_found(emptied: SqlStore, trail: AuditTrail, change: str) -> None:
    for n in range(5):
        await trail.record(act(f"a{n}"))
    async with emptied._database.write() as connection:
        await connection.execute(CHANGES[change])
    assert (await trail.check()).faults


@pytest.mark.parametrize("sequence", [-7, 0, 99])
async def test_an_entry_of_another_s_beside_the_chain_is_found(
    emptied: SqlStore, trail: AuditTrail, sequence: int
) -> None:
    for n in range(5):
        await trail.record(act(f"a{n}"))
    async with emptied._database.write() as connection:
        row = (await connection.execute(sa.select(audit).where(audit.c.sequence == 3))).one()
        await connection.execute(sa.insert(audit).values(dict(row._mapping) | {"sequence": sequence}))
    assert [f"entry {sequence} " in fault for fault in (await trail.check()).faults] == [True]


@pytest.mark.parametrize("kept", [0, 2, 5])
async def test_an_end_that_was_moved_stays_found_when_the_audit_goes_on(
    emptied: SqlStore, trail: AuditTrail, kept: int
) -> None:
    for n in range(5):
        await trail.record(act(f"a{n}"))
    before = [entry async for entry in trail.entries()]
    moved = {"sequence": 3, "seal": before[2].seal} if kept == 5 else {"sequence": 2, "seal": before[1].seal}
    async with emptied._database.write() as connection:
        await connection.execute(sa.delete(audit).where(audit.c.sequence > kept))
        await connection.execute(sa.update(audit_head).values(moved))
    await trail.record(act("goes on"))
    await trail.record(act("goes on"))
    assert [entry.act.action async for entry in trail.entries()][-2:] == ["goes on"] * 2
    assert (await trail.check()).faults == [f"before entry {kept + 1} the end was moved; entries may be missing there"]


async def test_an_entry_sealed_without_the_key_is_found(emptied: SqlStore, trail: AuditTrail) -> None:
    await trail.record(act("real"))
    await emptied.append_audit([act("made up")], SealKey(b"another key of some length"))
    assert (await trail.check()).faults == [
        "entry 2 is not what was written, or does not follow the one before",
        "entry 3 is not what was written, or does not follow the one before",
        "the end mark is not what was written",
    ]


async def test_a_flood_of_refusals_is_counted_and_not_lost(trail: AuditTrail) -> None:
    for n in range(5000):
        trail.keep_soon(act("search", actor=f"u{n % 3}", decision=Decision.REFUSED))
    await trail.close()
    entries = [entry async for entry in trail.entries()]
    assert sum(entry.act.times for entry in entries) == 5000
    assert len(entries) < 100
    assert trail.lost == 0


async def test_a_number_beyond_what_is_kept_is_refused_and_any_time_is_taken(emptied: SqlStore) -> None:
    with pytest.raises(InvalidInput):
        await emptied.find_audit(AuditQuestion(), limit=1, before=2**70)
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    assert await emptied.find_audit(AuditQuestion(since=first), limit=1) == []
