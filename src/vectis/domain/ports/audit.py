"""Where the audit is kept: append-only, in one chain over all processes. Every method may raise StoreUnavailable."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from vectis.domain.audit import Act, AuditEntry, AuditHead, Decision, SealKey


class AuditQuestion(msgspec.Struct, frozen=True):
    """Which entries to list; an empty field does not narrow. `since` and `until` are inclusive and exclusive."""

    actor: str = ""
    action: str = ""
    resource: str = ""
    tenant: str = ""
    decision: Decision | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditStore(Protocol):
    """Entries in order, without gaps."""

    async def append_audit(self, acts: Sequence[Act], key: SealKey) -> None:
        """Seal and keep acts in this order, in one transaction; durable on return. DiskFull."""
        ...

    async def audit_entries(self, *, after: int = 0, limit: int) -> list[AuditEntry]:
        """Entries with a higher number than `after`, in order."""
        ...

    async def find_audit(self, question: AuditQuestion, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Newest first; only those with a lower number than `before`."""
        ...

    async def audit_head(self) -> AuditHead | None:
        """Where the audit ends, None before the first entry."""
        ...
