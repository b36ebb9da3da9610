"""Making a collection hold a source as it is now: compare, send what is new, remove what is gone."""

from collections.abc import AsyncIterator, Callable, Sequence, Set
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

import msgspec

from vectis.domain.documents import Document
from vectis.domain.errors import CollectionNotFound
from vectis.domain.hashing import content_hash
from vectis.entrypoints.cli.filling.upload import Advance, Rejection, Tally, Upload
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.ingest.sync import plan_sync

PAGE = 1000
NOT_INDEXED = "not_indexed"
"""Stands for a code where a document was taken but its indexing failed."""

ShowProgress = Callable[[int], AbstractContextManager[Advance]]
"""Opens a progress bar for so many documents."""


class Synchronized(msgspec.Struct):
    """What a run did."""

    tally: Tally
    seconds: float


async def ensure_collection(api: Api, name: str, **profile: Any) -> bool:
    """Create a document collection unless a collection or alias has the name; whether it was created.

    `profile`: what the body of the request says besides the name, like `chunking`.
    """
    try:
        await api.get("/collections" + path_of(name))
    except CollectionNotFound:
        await api.post("/collections", {"name": name, **profile})
        return True
    return False


async def synchronize(
    api: Api,
    collection: str,
    sources: Sequence[str],
    documents: Sequence[Document],
    spared: Set[str],
    show: ShowProgress,
) -> Synchronized:
    """Send new and changed documents, remove those of `sources` that are gone and not `spared`; returns when all can be searched.

    Stopped half-way it leaves a consistent collection, and the next run goes on where this one was.
    """
    began = monotonic()
    local = {document.id: document for document in documents}
    hashes = ((id, content_hash(document)) for id, document in local.items())
    held = [
        (line["id"], line["content_hash"] if line["current"] else "") async for line in _lines(api, collection, sources)
    ]
    plan = plan_sync(hashes, held)
    with show(len(plan.send)) as advance:
        upload = Upload(api, collection, advance)
        await upload.send(local[id] for id in plan.send)
        await upload.remove([id for id in plan.remove if id not in spared])
    upload.tally.unchanged += len(plan.unchanged)
    if upload.tally.failed:
        lines = _lines(api, collection, sources)
        upload.tally.refused += [
            Rejection(line["id"], NOT_INDEXED, line["error"]) async for line in lines if line.get("error")
        ]
    return Synchronized(upload.tally, round(monotonic() - began, 3))


async def _lines(api: Api, collection: str, sources: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
    """What the collection holds of the sources, page by page."""
    place = f"/collections{path_of(collection)}/documents"
    for source in sources:
        offset: str | None = None
        while True:
            page = await api.get(place, limit=PAGE, offset=offset, source=source)
            for line in page["documents"]:
                yield line
            if (offset := page["next_offset"]) is None:
                break
