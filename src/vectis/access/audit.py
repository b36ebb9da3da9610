"""The audit trail: acts are kept in order, floods of refusals as counts, and the whole chain can be checked."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from vectis.domain.audit import END_MOVED, FIRST_SEAL, Act, AuditEntry, SealKey
from vectis.domain.errors import VectisError
from vectis.domain.ports.audit import AuditQuestion, AuditStore
from vectis.domain.ports.clock import Clock

SOON_PER_S = 10
"""Refusals and failures that are kept one by one; of more in a second, like ones are counted in one entry."""

PAGE = 1000


class AuditCheck(msgspec.Struct, frozen=True):
    """What a check of the whole chain found: entries read, and the faults, in words with the entry's number."""

    entries: int
    faults: list[str]


class AuditTrail:
    """Writes and checks the audit. What waits is written together, so that many who act at once share one transaction."""

    def __init__(self, store: AuditStore, key: SealKey, clock: Clock) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._waiting: list[Act] = []
        self._written: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._second = 0
        self._in_second = 0
        self._counted: dict[tuple[str, ...], Act] = {}
        self.lost = 0
        """Refusals and failures that could not be kept, since this process began."""

    async def record(self, act: Act) -> None:
        """Keep one act; durable on return. Raises StoreUnavailable or DiskFull: then nothing was kept."""
        self._waiting.append(act)
        await asyncio.shield(self._next_write())

    def keep_soon(self, act: Act) -> None:
        """Keep a refusal or failure soon, without waiting. In a flood, like ones become one entry with their number."""
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second <= SOON_PER_S:
            self._write_soon([act])
            return
        if not self._counted:
            asyncio.get_running_loop().call_later(1.0, self._release_counted)
        like = (act.actor, act.action, act.reason, act.address)
        known = self._counted.get(like)
        if known is None and len(self._counted) >= SOON_PER_S:
            like, act = (
                ("", "", "", ""),
                msgspec.structs.replace(act, actor="several", address="", reason="many at once"),
            )
            known = self._counted.get(like)
        self._counted[like] = act if known is None else msgspec.structs.replace(known, times=known.times + 1)

    async def close(self) -> None:
        """Write what still waits."""
        self._release_counted()
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def find(self, question: AuditQuestion, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Entries, newest first; `before` is the number of the last entry of the page before."""
        return await self._store.find_audit(question, limit=limit, before=before)

    async def entries(self) -> AsyncIterator[AuditEntry]:
        """All entries in order."""
        after = -(2**63)
        while page := await self._store.audit_entries(after=after, limit=PAGE):
            for entry in page:
                yield entry
            after = page[-1].sequence

    async def fits(self) -> bool:
        """Whether the audit was sealed with this trail's key so far; what is sealed with another one does not hold."""
        head = await self._store.audit_head()
        return head is None or self._key.ends(head)

    async def check(self) -> AuditCheck:
        """Read the whole chain: changed, removed, inserted, reordered and cut off entries are found."""
        head = await self._store.audit_head()
        faults: list[str] = []
        count, expected, seal = 0, 1, FIRST_SEAL
        async for entry in self.entries():
            if head is not None and entry.sequence > head.sequence:
                break  # written since the check began
            if entry.sequence < expected:
                faults.append(f"entry {entry.sequence} is none of the audit's")
                continue
            if entry.sequence != expected:
                faults.append(f"entries {expected} to {entry.sequence - 1} are missing")
            elif not self._key.holds(entry, seal):
                faults.append(f"entry {entry.sequence} is not what was written, or does not follow the one before")
            elif entry.act.action == END_MOVED:
                faults.append(f"before entry {entry.sequence} the end was moved; entries may be missing there")
            count, expected, seal = count + 1, entry.sequence + 1, entry.seal
        if head is None:
            return AuditCheck(count, [*faults, f"{count} entries without an end mark"] if count else faults)
        if not self._key.ends(head):
            faults.append("the end mark is not what was written")
        elif (head.sequence, head.seal) != (expected - 1, seal):
            faults.append(f"the audit ended with entry {head.sequence}; found up to entry {expected - 1}")
        newest, end = await self._store.find_audit(AuditQuestion(), limit=1), await self._store.audit_head()
        if newest and end is not None and newest[0].sequence > end.sequence:
            faults.append(f"entry {newest[0].sequence} lies beyond the end, which is entry {end.sequence}")
        return AuditCheck(count, faults)

    def _release_counted(self) -> None:
        if self._counted:
            self._write_soon(list(self._counted.values()))
            self._counted.clear()

    def _write_soon(self, acts: list[Act]) -> None:
        self._waiting += acts
        self._next_write().add_done_callback(lambda written: self._count_lost(written, len(acts)))

    def _count_lost(self, written: "asyncio.Future[None]", count: int) -> None:
        if not written.cancelled() and written.exception() is not None:
            self.lost += count

    def _next_write(self) -> "asyncio.Future[None]":
        """What ends when everything that waits now is written."""
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write())
        return self._written

    async def _write(self) -> None:
        while self._written is not None:
            written, self._written = self._written, None
            acts, self._waiting = self._waiting, []
            try:
                await self._store.append_audit(acts, self._key)
            except VectisError as error:
                written.set_exception(error)
            else:
                written.set_result(None)
