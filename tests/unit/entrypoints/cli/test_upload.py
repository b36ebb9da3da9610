"""Batches, jobs that are followed, refusals: against a stub of the documents API."""

import json
from typing import Any

import httpx
import pytest

from vectis.domain.documents import Document
from vectis.entrypoints.cli.filling.upload import BYTES_PER_BATCH, DOCUMENTS_PER_BATCH, Upload, batches
from vectis.entrypoints.cli.server.api import Api

TOO_LARGE = httpx.Response(413, json={"detail": "too large", "code": "too_large"})


def documents(count: int, length: int = 10) -> list[Document]:
    return [Document(id=f"d{i}", text="x" * length) for i in range(count)]


@pytest.mark.parametrize(
    ("count", "length", "sizes"),
    [(0, 1, []), (DOCUMENTS_PER_BATCH, 1, [DOCUMENTS_PER_BATCH]), (DOCUMENTS_PER_BATCH + 1, 1, [DOCUMENTS_PER_BATCH, 1]),
     (3, BYTES_PER_BATCH // 2, [2, 1]), (2, BYTES_PER_BATCH + 1, [1, 1])],
)  # fmt: skip
def test_batches_are_bounded_and_lose_nothing(count: int, length: int, sizes: list[int]) -> None:
    made = list(batches(documents(count, length)))
    assert [len(batch) for batch in made] == sizes
    assert [d.id for batch in made for d in batch] == [f"d{i}" for i in range(count)]


class DocumentsStub:
    """Takes documents of at most `documents_max` a request; each job is running once before it is done."""

    def __init__(
        self, *, documents_max: int = 1000, refused: frozenset[str] = frozenset(), state: str = "done"
    ) -> None:
        self.documents_max = documents_max
        self.refused = refused
        self.state = state
        self.received: list[str] = []
        self.deleted: list[str] = []
        self.polls: dict[str, int] = {}
        self.down = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            self.down -= 1
            return httpx.Response(503, json={"detail": "down", "code": "store_unavailable", "retry_after_s": 0.1})
        if request.method == "GET":
            return httpx.Response(200, json=self._job(request.url.path.rpartition("/")[2]))
        body = json.loads(request.content)
        if request.url.path.endswith("/delete"):
            self.deleted += body["ids"]
            return httpx.Response(202, json={"job_id": None, "removed": len(body["ids"])})
        return self._put(body["documents"])

    def _put(self, sent: list[dict[str, Any]]) -> httpx.Response:
        if len(sent) > self.documents_max or any(d["id"] == "huge" for d in sent):
            return TOO_LARGE
        taken = [d["id"] for d in sent if d["id"] not in self.refused]
        self.received += taken
        job = f"job{len(self.polls)}-{len(taken)}"
        self.polls[job] = 0
        refused = [
            {"index": i, "id": d["id"], "code": "unreadable_document", "reason": "binary"}
            for i, d in enumerate(sent) if d["id"] in self.refused
        ]  # fmt: skip
        return httpx.Response(202, json={"job_id": job, "accepted": len(taken), "unchanged": 0, "refused": refused})

    def _job(self, job: str) -> dict[str, Any]:
        self.polls[job] += 1
        count = int(job.partition("-")[2])
        if self.polls[job] == 1:
            return {
                "id": job,
                "state": "running",
                "error": None,
                "progress": {"done": 1, "total": 2, "unit": "documents"},
            }
        return {
            "id": job, "state": self.state, "error": "no model" if self.state == "dead" else None,
            "progress": {"done": 2, "total": 2, "unit": "documents",
                         "counts": {"chunks": 3 * count, "embedded": 2 * count, "reused": count}},
        }  # fmt: skip


async def upload(stub: DocumentsStub, sent: list[Document], removed: list[str]) -> tuple[Upload, list[float]]:
    told: list[float] = []
    async with httpx.AsyncClient(base_url="http://stub", transport=httpx.MockTransport(stub)) as http:
        upload = Upload(Api(http, "stub"), "docs", told.append)
        await upload.send(sent)
        await upload.remove(removed)
    return upload, told


async def test_all_are_sent_followed_and_counted() -> None:
    stub = DocumentsStub()
    done, told = await upload(stub, documents(250), ["old"])
    tally = done.tally
    assert stub.received == [f"d{i}" for i in range(250)]
    assert stub.deleted == ["old"]
    assert (tally.sent, tally.removed, tally.chunks, tally.embedded, tally.reused) == (250, 1, 750, 500, 250)
    assert told == sorted(told)
    assert told[-1] == 250
    assert all(polls == 2 for polls in stub.polls.values())


async def test_refused_documents_are_told_with_their_reasons() -> None:
    done, told = await upload(DocumentsStub(refused=frozenset({"d1"})), documents(3), [])
    assert [(each.id, each.code, each.reason) for each in done.tally.refused] == [
        ("d1", "unreadable_document", "binary")
    ]
    assert (done.tally.sent, told[-1]) == (2, 3)


async def test_batches_beyond_the_servers_maximum_are_halved() -> None:
    stub = DocumentsStub(documents_max=3)
    sent = [*documents(9), Document(id="huge", text="x")]
    done, _ = await upload(stub, sent, [])
    assert stub.received == [f"d{i}" for i in range(9)]
    assert [(each.id, each.code) for each in done.tally.refused] == [("huge", "too_large")]


async def test_a_dead_job_is_told() -> None:
    done, _ = await upload(DocumentsStub(state="dead"), documents(1), [])
    assert done.tally.dead_jobs == ["job0-1: no model"]


async def test_an_unavailable_server_is_asked_again() -> None:
    stub = DocumentsStub()
    stub.down = 2
    done, _ = await upload(stub, documents(1), [])
    assert (done.tally.sent, stub.received) == (1, ["d0"])
