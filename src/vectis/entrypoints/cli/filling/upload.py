"""Bringing documents to a server: in batches, following the jobs that index them. What to send is decided by the caller."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import stamina
import typer
from rich.text import Text

from vectis.domain.documents import Document
from vectis.domain.errors import TooLarge, Unavailable
from vectis.entrypoints.cli.server.api import Api, member, path_of
from vectis.entrypoints.cli.server.jobs import ENDED, POLL_S
from vectis.entrypoints.cli.terminal.output import notes

DOCUMENTS_PER_BATCH = 100
BYTES_PER_BATCH = 2_000_000
JOBS_MAX = 4
PATIENCE_S = 60.0
REASONS_SHOWN = 20

Advance = Callable[[float], None]
"""Told how many documents are done so far."""


class Rejection(msgspec.Struct, frozen=True):
    """A document that did not get in, and why."""

    id: str
    code: str
    reason: str


class Tally(msgspec.Struct):
    """What became of the documents so far.

    `reused` are chunks whose vectors were there already; `without_dense` are found by BM25 alone; `failed` counts documents
    that were taken but could not be indexed.
    """

    sent: int = 0
    unchanged: int = 0
    removed: int = 0
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    without_dense: int = 0
    failed: int = 0
    refused: list[Rejection] = []
    dead_jobs: list[str] = []


class Upload:
    """Sends documents to one collection and follows their jobs, a few at a time, so that the queue stays short."""

    def __init__(self, api: Api, collection: str, advance: Advance) -> None:
        self._api = api
        self._place = f"/collections{path_of(collection)}/documents"
        self._advance = advance
        self._running: dict[str, tuple[int, float]] = {}
        self._finished = 0
        self.tally = Tally()

    async def send(self, documents: Iterable[Document]) -> None:
        """Send all and return when every job has ended. Unavailable after a minute without an answer."""
        for batch in batches(documents):
            await self._send_batch(batch)
            await self._follow(JOBS_MAX - 1)
        await self._follow(0)

    async def remove(self, ids: Sequence[str]) -> None:
        """Remove documents and return when their chunks are gone."""
        for start in range(0, len(ids), DOCUMENTS_PER_BATCH):
            body = {"ids": list(ids[start : start + DOCUMENTS_PER_BATCH])}
            answer = await self._patiently(lambda body=body: self._api.post(f"{self._place}/delete", body))
            self.tally.removed += answer["removed"]
            self._started(answer["job_id"], 0)
        await self._follow(0)

    async def _send_batch(self, batch: list[Document]) -> None:
        body = {"documents": msgspec.to_builtins(batch)}
        try:
            answer = await self._patiently(lambda: self._api.post(self._place, body))
        except TooLarge as error:
            await self._send_halves(batch, error)
            return
        refused = [Rejection(each["id"], each["code"], each["reason"]) for each in answer["refused"]]
        self.tally.sent += answer["accepted"]
        self.tally.unchanged += answer["unchanged"]
        self.tally.refused += refused
        self._started(answer["job_id"], answer["accepted"])
        self._finished += len(batch) - (answer["accepted"] if answer["job_id"] else 0)
        self._tell()

    async def _send_halves(self, batch: list[Document], error: TooLarge) -> None:
        """A batch beyond the server's maximum goes in halves; a document that is too large by itself is refused."""
        if len(batch) == 1:
            self.tally.refused.append(Rejection(batch[0].id, error.code, error.message))
            self._finished += 1
            return
        await self._send_batch(batch[: len(batch) // 2])
        await self._send_batch(batch[len(batch) // 2 :])

    def _started(self, job: str | None, documents: int) -> None:
        if job is not None:
            self._running[job] = (documents, 0.0)

    async def _follow(self, running_max: int) -> None:
        """Return when at most `running_max` jobs have not ended."""
        while len(self._running) > running_max:
            for job in list(self._running):
                self._note(await self._patiently(lambda job=job: self._api.get("/jobs" + path_of(job))))
            self._tell()
            if len(self._running) > running_max:
                await asyncio.sleep(POLL_S)  # a job's end can only be asked for

    def _note(self, job: dict[str, Any]) -> None:
        documents, _ = self._running[job["id"]]
        progress = job["progress"]
        if job["state"] not in ENDED:
            share = progress["done"] / progress["total"] if progress.get("total") else 0.0
            self._running[job["id"]] = (documents, documents * share)
            return
        del self._running[job["id"]]
        self._finished += documents
        counts = member(progress, "counts")
        for name in ("chunks", "embedded", "reused", "without_dense", "failed"):
            setattr(self.tally, name, getattr(self.tally, name) + counts.get(name, 0))
        if job["state"] != "done":
            self.tally.dead_jobs.append(f"{job['id']}: {job['error'] or job['state']}")

    def _tell(self) -> None:
        self._advance(self._finished + sum(done for _, done in self._running.values()))

    async def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask again while the server is unavailable; every request here may be repeated without harm."""
        async for attempt in stamina.retry_context(on=Unavailable, attempts=None, timeout=PATIENCE_S, wait_max=5.0):
            with attempt:
                return await ask()


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents in order, at most 100 and about 2 MB of text together; a larger one goes alone."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        length = len(document.text.encode())
        if batch and (len(batch) == DOCUMENTS_PER_BATCH or size + length > BYTES_PER_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def tell(tally: Tally) -> None:
    """Say on stderr what was refused, and which jobs gave up."""
    for each in tally.refused[:REASONS_SHOWN]:
        notes.print(Text(f"  refused {each.id}: {each.reason} [{each.code}]"), soft_wrap=True)
    if len(tally.refused) > REASONS_SHOWN:
        typer.echo(f"  and {len(tally.refused) - REASONS_SHOWN} more; --json lists them all", err=True)
    for job in tally.dead_jobs:
        notes.print(Text(f"  job gave up: {job}"), soft_wrap=True)
