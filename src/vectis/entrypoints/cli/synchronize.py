"""Making a collection hold a source as it is now: compare, send what is new, remove what is gone."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

import msgspec

from vectis.domain.documents import Document
from vectis.domain.errors import CollectionNotFound
from vectis.domain.hashing import content_hash
from vectis.entrypoints.cli.api import Api, path_of
from vectis.entrypoints.cli.upload import Advance, Tally, Upload
from vectis.ingest.sync import plan_sync

PAGE = 1000

ShowProgress = Callable[[int], AbstractContextManager[Advance]]
"""Opens a progress bar for so many documents."""


class Synchronized(msgspec.Struct):
    """What a run did."""

    tally: Tally
    seconds: float


async def ensure_collection(api: Api, name: str, chunking: dict[str, Any] | None = None) -> bool:
    """Create a document collection unless a collection or alias has the name; whether it was created."""
    try:
        await api.get("/collections" + path_of(name))
    except CollectionNotFound:
        await api.post("/collections", {"name": name, **({"chunking": chunking} if chunking else {})})
        return True
    return False


async def synchronize(
    api: Api, collection: str, source: str, documents: Sequence[Document], show: ShowProgress
) -> Synchronized:
    """Send new and changed documents, remove those of `source` that are gone; returns when all can be searched.

    Stopped half-way it leaves a consistent collection, and the next run goes on where this one was.
    """
    began = monotonic()
    local = {document.id: document for document in documents}
    hashes = ((id, content_hash(document)) for id, document in local.items())
    plan = plan_sync(hashes, await _remote(api, collection, source))
    with show(len(plan.send)) as advance:
        upload = Upload(api, collection, advance)
        await upload.send(local[id] for id in plan.send)
        await upload.remove(plan.remove)
    upload.tally.unchanged += len(plan.unchanged)
    return Synchronized(upload.tally, round(monotonic() - began, 3))


async def _remote(api: Api, collection: str, source: str) -> list[tuple[str, str]]:
    """Id and content hash of what the collection holds of the source; no hash for what cannot be searched as sent."""
    held: list[tuple[str, str]] = []
    offset: str | None = None
    while True:
        page = await api.get(f"/collections{path_of(collection)}/documents", limit=PAGE, offset=offset, source=source)
        held += [(line["id"], line["content_hash"] if line["current"] else "") for line in page["documents"]]
        if (offset := page["next_offset"]) is None:
            return held
