"""What was done and what was refused: entries of the audit, each sealed over the one before. Pure."""

import hmac
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

FIRST_SEAL: Final = "0" * 64
"""What the first entry is sealed over."""


class Decision(StrEnum):
    """`allowed`: it was about to be done. `done`: it was done, with what it changed. `refused`, `failed`: with the reason."""

    ALLOWED = "allowed"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Act(msgspec.Struct, frozen=True):
    """One thing that someone did or tried.

    `action` is an operation's name, `resource` what it was about (`collection docs`, `key 1a2b`). `reason` is the code and
    message of an error. `before` and `after` are given for changes of configuration. `times` counts like acts that one entry
    stands for. Never secrets, vectors or the text of queries.
    """

    at: datetime
    actor: str
    action: str
    decision: Decision
    resource: str = ""
    reason: str = ""
    tenant: str = ""
    credential: str = ""
    surface: str = ""
    address: str = ""
    request_id: str = ""
    times: int = 1
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


END_MOVED: Final = "audit_end_moved"
"""The action of the entry that says for ever: what the audit held of its end before this was not what it had kept."""


def end_moved(at: datetime) -> Act:
    """What the audit says of itself before it goes on from an end that somebody else has set."""
    return Act(
        at, actor="system", action=END_MOVED, decision=Decision.FAILED, reason="the end was not as it was marked"
    )


class AuditEntry(msgspec.Struct, frozen=True):
    """An act in its place. `seal` is HMAC-SHA-256, in hexadecimal, of the entry before, the place and the act."""

    sequence: int
    act: Act
    seal: str


class AuditHead(msgspec.Struct, frozen=True):
    """Where the audit ends. `mark` seals the number and seal of the last entry, so that no last entries can be cut off."""

    sequence: int
    seal: str
    mark: str


class SealKey:
    """Seals entries under a secret that the database does not hold: who can write rows still cannot seal them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def next(self, before: AuditHead | None, act: Act) -> AuditEntry:
        """The entry of `act` after `before`, None for the first."""
        sequence, seal = (before.sequence, before.seal) if before else (0, FIRST_SEAL)
        return AuditEntry(sequence + 1, act, self._seal(seal, sequence + 1, act))

    def head(self, last: AuditEntry) -> AuditHead:
        """The end of the audit after `last`."""
        return AuditHead(last.sequence, last.seal, self._mark(last.sequence, last.seal))

    def holds(self, entry: AuditEntry, seal_before: str) -> bool:
        """Whether an entry is as it was sealed, right after the one with `seal_before`."""
        return hmac.compare_digest(entry.seal, self._seal(seal_before, entry.sequence, entry.act))

    def ends(self, head: AuditHead) -> bool:
        """Whether the end of the audit is as it was marked."""
        return hmac.compare_digest(head.mark, self._mark(head.sequence, head.seal))

    def _seal(self, before: str, sequence: int, act: Act) -> str:
        return self._digest(msgspec.json.encode(["entry", before, sequence, act], order="deterministic"))

    def _mark(self, sequence: int, seal: str) -> str:
        return self._digest(msgspec.json.encode(["head", sequence, seal]))

    def _digest(self, message: bytes) -> str:
        return hmac.digest(self._key, message, "sha256").hex()
