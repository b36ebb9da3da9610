"""Documents: kept, indexed by the worker, read back."""

from vectis.domain.jobs import JobState
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.operation import Call, Reply

WAIT_MAX_S = 600.0
"""How long `wait=true` waits before it answers 504; the job goes on."""


async def put(call: Call) -> answers.DocumentsAccepted | Reply:
    """Keep documents and index them: acknowledged with a job, or with `wait=true` when they can be found."""
    by = call.may(call.path["collection"])
    accepted = await call.services.ingest.accept(by, call.body.documents)
    view = answers.DocumentsAccepted(
        job_id=accepted.job_id,
        accepted=accepted.accepted,
        unchanged=accepted.unchanged,
        refused=[
            answers.RefusedDocument(index=r.index, id=r.id, code=r.code, reason=r.reason) for r in accepted.refused
        ],
    )
    if not call.query.wait:
        return view
    job = await call.services.ingest.indexed(by, accepted, WAIT_MAX_S)
    view.state, view.progress = (JobState.DONE, None) if job is None else (job.state, job.progress)
    return Reply(view, 200)


async def list_page(call: Call) -> answers.DocumentList:
    """A page of documents in id order."""
    page = await call.services.ingest.list(
        call.may(call.path["collection"]), limit=call.query.limit, offset=call.query.offset, source=call.query.source
    )
    return answers.DocumentList(
        documents=[
            answers.DocumentLine(
                id=kept.stored.document.id,
                title=kept.stored.document.title,
                source=kept.stored.document.source,
                content_hash=kept.stored.content_hash,
                current=kept.current,
                chunks=kept.stored.chunks,
                updated_at=kept.stored.updated_at,
                error=kept.stored.error,
            )
            for kept in page.documents
        ],
        next_offset=page.next_offset,
    )


async def get(call: Call) -> answers.DocumentView:
    """One document as it was sent, and where its indexing stands."""
    kept = await call.services.ingest.get(call.may(call.path["collection"]), call.path["id"])
    stored = kept.stored
    return answers.DocumentView(
        document=stored.document,
        content_hash=stored.content_hash,
        current=kept.current,
        chunks=stored.chunks,
        updated_at=stored.updated_at,
        error=stored.error,
    )


async def delete_one(call: Call) -> answers.DocumentsRemoved | Reply:
    """Remove a document with its chunks."""
    return await _remove(call, [call.path["id"]])


async def delete_many(call: Call) -> answers.DocumentsRemoved | Reply:
    """Remove documents with their chunks."""
    return await _remove(call, call.body.ids)


async def _remove(call: Call, ids: list[str]) -> answers.DocumentsRemoved | Reply:
    by = call.may(call.path["collection"])
    removed = await call.services.ingest.remove(by, ids)
    view = answers.DocumentsRemoved(job_id=removed.job_id, removed=removed.removed)
    if not call.query.wait:
        return view
    await call.services.ingest.indexed(by, removed, WAIT_MAX_S)
    return Reply(view, 200)
