"""The audit: its entries, and the check of its chain."""

from vectis.domain.audit import AuditEntry
from vectis.domain.ports.audit import AuditQuestion
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.operation import Call


async def list_entries(call: Call) -> answers.AuditPage:
    """Entries, newest first."""
    query = call.query
    question = AuditQuestion(
        actor=query.actor,
        action=query.action,
        resource=query.resource,
        tenant=query.tenant,
        decision=query.decision,
        since=query.since,
        until=query.until,
    )
    call.may_all()
    entries = await call.services.audit.find(question, limit=query.limit, before=query.before)
    before = entries[-1].sequence if len(entries) == query.limit else None
    return answers.AuditPage(entries=[_view(entry) for entry in entries], next_before=before)


async def verify(call: Call) -> answers.AuditVerified:
    """Read the whole chain and say what does not hold."""
    call.may_all()
    check = await call.services.audit.check()
    return answers.AuditVerified(holds=not check.faults, entries=check.entries, faults=check.faults[:100])


def _view(entry: AuditEntry) -> answers.AuditEntryView:
    return answers.AuditEntryView(sequence=entry.sequence, act=entry.act, seal=entry.seal)
