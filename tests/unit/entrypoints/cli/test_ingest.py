"""Reading this side, and bringing a collection in step with it."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from vectis.domain.documents import Document
from vectis.domain.hashing import content_hash
from vectis.entrypoints.cli.filling.local import read_local
from vectis.entrypoints.cli.filling.synchronize import Synchronized, ensure_collection, synchronize
from vectis.entrypoints.cli.filling.upload import Advance
from vectis.entrypoints.cli.server.api import Api


def test_a_file_that_cannot_be_read_now_is_told_and_its_document_spared(tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("# A")
    (folder / "sub/b.md").write_bytes(b"\x00")
    local = read_local([f"book={folder}"])
    assert [document.id for document in local.documents] == ["book/a.md"]
    assert [(Path(each.id).name, each.code) for each in local.refused] == [("b.md", "unreadable_document")]
    assert local.unreadable_ids == {"book/sub/b.md"}
    assert local.sources == ["book"]


def test_sources_that_lines_name_themselves_are_kept_in_step_too(tmp_path: Path) -> None:
    lines = [{"id": "1", "text": "x", "source": "other"}, {"id": "2", "text": "y"}]
    (tmp_path / "corpus.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert read_local([f"mine={tmp_path / 'corpus.jsonl'}"]).sources == ["mine", "other"]


def test_a_source_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="no file or folder"):
        read_local([str(tmp_path / "absent")])


class CollectionStub:
    """Holds documents of sources; answers pages of two lines."""

    def __init__(self, *held: tuple[Document, bool]) -> None:
        self.held = {document.id: (document, current) for document, current in held}
        self.put: list[str] = []
        self.deleted: list[str] = []
        self.created: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        match request.method, request.url.path.removeprefix("/api/v1"):
            case "GET", "/collections/docs/documents":
                return httpx.Response(200, json=self._page(request.url.params))
            case "GET", "/collections/docs" if self.created:
                return httpx.Response(200, json={"name": "docs"})
            case "GET", "/collections/docs":
                return httpx.Response(404, json={"code": "collection_not_found", "detail": "none"})
            case "POST", "/collections":
                self.created.append(json.loads(request.content))
                return httpx.Response(201, json={})
            case "POST", "/collections/docs/documents":
                self.put += [sent["id"] for sent in json.loads(request.content)["documents"]]
                return httpx.Response(202, json={"job_id": None, "accepted": 1, "unchanged": 0, "refused": []})
            case "POST", "/collections/docs/documents/delete":
                self.deleted += json.loads(request.content)["ids"]
                return httpx.Response(202, json={"job_id": None, "removed": 1})
            case other:
                raise AssertionError(other)

    def _page(self, params: httpx.QueryParams) -> dict[str, Any]:
        lines = [
            {"id": id, "content_hash": content_hash(document), "current": current}
            for id, (document, current) in sorted(self.held.items())
            if document.source == params["source"] and id >= params.get("offset", "")
        ]
        return {"documents": lines[:2], "next_offset": lines[2]["id"] if len(lines) > 2 else None}


@contextmanager
def unseen(_total: int) -> Generator[Advance]:
    yield lambda _done: None


async def in_step(stub: CollectionStub, documents: list[Document], spared: set[str]) -> Synchronized:
    async with httpx.AsyncClient(base_url="http://stub", transport=httpx.MockTransport(stub)) as http:
        return await synchronize(Api(http, "stub"), "docs", ["book"], documents, spared, unseen)


def page(id: str, text: str, source: str = "book") -> Document:
    return Document(id=id, text=text, source=source)


async def test_only_what_differs_is_sent_and_only_what_is_gone_is_removed() -> None:
    same, changed, waiting, gone, spared, other = (
        page("same", "1"), page("changed", "1"), page("waiting", "1"), page("gone", "1"), page("spared", "1"),
        page("other", "1", source="elsewhere"),
    )  # fmt: skip
    held = [(same, True), (changed, True), (waiting, False), (gone, True), (spared, True), (other, True)]
    stub = CollectionStub(*held)
    done = await in_step(stub, [same, page("changed", "2"), waiting, page("fresh", "1")], {"spared"})
    assert sorted(stub.put) == ["changed", "fresh", "waiting"]
    assert stub.deleted == ["gone"]
    assert (done.tally.unchanged, done.tally.removed) == (1, 1)


async def test_a_collection_is_created_once() -> None:
    stub = CollectionStub()
    async with httpx.AsyncClient(base_url="http://stub", transport=httpx.MockTransport(stub)) as http:
        api = Api(http, "stub")
        assert await ensure_collection(api, "docs", chunking={"target": 100}) is True
        assert await ensure_collection(api, "docs") is False
    assert stub.created == [{"name": "docs", "chunking": {"target": 100}}]
