"""Documents from sending to a ranked, explained answer, over HTTP on a running server."""

import re

import httpx
import pytest
from serving import RunningServer, StartServer, until

DOCUMENTS = [
    {
        "id": "guide/aliases.md",
        "title": "Aliases",
        "text": "# Aliases\n\nAn alias is a stable public name.\n\n## Switching\n\nAn alias is switched to another collection "
        "in one atomic change, so that no query ever fails.",
        "payload": {"language": "python", "difficulty_level": 2},
    },
    {
        "id": "guide/backup.md",
        "title": "Backups",
        "text": "# Backups\n\nA backup counts only when it was restored. The restore drill compares the data.",
        "payload": {"language": "rust", "difficulty_level": 5},
    },
    {"id": "cooking.md", "title": "Bread", "text": "Knead the dough, let it rest for an hour, bake it at 230 degrees."},
]


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server(None, VECTIS_SEARCH__SHORTCUT_SAMPLE_PERCENT="50")


@pytest.fixture(scope="module")
def docs(http: httpx.Client) -> str:
    created = http.post("/api/v1/collections", json={"name": "docs"})
    assert created.status_code == 201, created.text
    put = http.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": DOCUMENTS})
    assert put.status_code == 200, put.text
    assert put.json()["state"] == "done", put.text
    assert put.json()["accepted"] == 3
    return "docs"


def search(http: httpx.Client, **body: object) -> dict:
    answer = http.post("/api/v1/search", json={"collection": "docs", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_document_collection_has_the_defaults_for_documentation(http: httpx.Client, docs: str) -> None:
    detail = http.get(f"/api/v1/collections/{docs}").json()
    schema = detail["profile"]["schema"]
    assert schema["dense"]["dense"] == {"size": 384, "distance": "Cosine", "on_disk": False}
    assert schema["hnsw"] == {"m": 16, "ef_construct": 200, "full_scan_threshold": 10000, "max_indexing_threads": 0}
    assert schema["quantization"] == {"quantile": 0.99, "always_ram": True}
    indexed = {"language", "framework", "doc_type", "version", "last_updated", "difficulty_level"}
    assert indexed <= set(detail["payload_indexes"])
    assert detail["points"] >= 3


@pytest.mark.parametrize("mode", ["default", "hybrid", "dense", "sparse"])
def test_the_right_document_comes_first(http: httpx.Client, docs: str, mode: str) -> None:
    found = search(http, query="how is an alias switched to another collection", mode=mode)
    first = found["results"][0]
    assert first["id"] == "guide/aliases.md"
    assert "<mark>" in first["snippet"]
    assert first["payload"]["title"] == "Aliases"
    assert found["degraded"] == []
    assert found["took_ms"] > 0


@pytest.mark.parametrize(("mode", "part"), [("best", "rerank"), ("hyde", "hyde")])
def test_what_needs_a_model_that_is_not_there_is_answered_without(
    http: httpx.Client, docs: str, mode: str, part: str
) -> None:
    query = "how is an alias switched to another collection"
    found = search(http, query=query, mode=mode)
    assert found["degraded"] == [part]
    assert found["results"] == search(http, query=query)["results"]


@pytest.mark.parametrize(("wish", "found"), [({}, True), ({"spellings": False}, False)])
def test_other_spellings_of_a_word_are_found_unless_a_collection_is_without(
    http: httpx.Client, wish: dict[str, bool], found: bool
) -> None:
    name = f"spelled-{found}".lower()
    created = http.post("/api/v1/collections", json={"name": name, **wish}).raise_for_status().json()
    assert created["profile"]["spellings"] is found
    documents = [
        {"id": "compound", "text": "the effect of IL-6 on growth"},
        {"id": "numbered", "text": "use Python3 now"},
    ]
    put = http.post(
        f"/api/v1/collections/{name}/documents", params={"wait": "true"}, json={"documents": documents}
    ).raise_for_status()
    assert put.json()["state"] == "done", put.text
    for query, expected in (("IL6", "compound"), ("python", "numbered")):
        results = search(http, collection=name, query=query, mode="sparse")["results"]
        assert [each["id"] for each in results] == ([expected] if found else [])


def test_explain_tells_ranks_scores_and_stages(http: httpx.Client, docs: str) -> None:
    found = search(http, query="restore drill", explain=True)
    first = found["results"][0]
    assert first["id"] == "guide/backup.md"
    why = first["explanation"]
    assert set(why["prefetches"]) == {"dense", "sparse", "document_dense", "document_sparse"}
    assert all(place["rank"] >= 1 for place in why["prefetches"].values())
    assert sum(why["contributions"].values()) == pytest.approx(first["score"], rel=1e-4)
    assert set(found["stages_ms"]) == {"embed", "engine", "assemble"}


def test_filters_narrow_and_groups_can_be_taken_apart(http: httpx.Client, docs: str) -> None:
    python = {"must": [{"key": "language", "match": {"value": "python"}}]}
    found = search(http, query="data", filter=python, explain=True)
    assert {r["id"] for r in found["results"]} == {"guide/aliases.md"}
    chunks = search(http, query="alias", group=False)["results"]
    assert all(r["payload"]["document_id"] for r in chunks)


def test_what_the_engine_saves_is_sampled_behind_the_answers(http: httpx.Client, docs: str) -> None:
    python = {"must": [{"key": "language", "match": {"value": "python"}}]}
    asked = 0

    def sampled() -> dict[tuple[str, str], float] | None:
        nonlocal asked
        asked += 1
        search(http, query=f"data {asked}", filter=python)
        pattern = r'vectis_shortcut_seconds_total\{collection="docs",[^}]*shortcut="(\w+)",way="(\w+)"\} ([\d.e-]+)'
        found = re.findall(pattern, http.get("/metrics").text)
        seconds = {(shortcut, way): float(seconds) for shortcut, way, seconds in found}
        return seconds if len(seconds) == 4 else None

    seconds = until(sampled, 30, "a query was asked the long way too, for both shortcuts")
    assert set(seconds) == {(shortcut, way) for shortcut in ("prefetches", "filter") for way in ("short", "long")}
    assert min(seconds.values()) > 0


def test_what_is_like_a_document_is_found_by_its_id(http: httpx.Client, docs: str) -> None:
    body = {"collection": docs, "positive": [{"id": "guide/aliases.md"}], "explain": True}
    first, last = http.post("/api/v1/similar", json=body).raise_for_status().json()["results"]
    assert (first["id"], last["id"]) == ("guide/backup.md", "cooking.md")
    assert set(first["explanation"]["prefetches"]) == {"dense", "document_dense"}
    bread = {**body, "positive": [{"text": "a recipe for rye bread"}], "diversity": 0.2}
    assert http.post("/api/v1/similar", json=bread).raise_for_status().json()["results"][0]["id"] == "cooking.md"
    absent = http.post("/api/v1/similar", json={**body, "negative": [{"id": "no-such-document"}]})
    assert (absent.status_code, absent.json()["field"]) == (404, "negative[0]")


def test_sending_the_same_again_does_no_work(http: httpx.Client, docs: str) -> None:
    put = http.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": DOCUMENTS})
    assert put.json()["unchanged"] == 3
    assert put.json()["job_id"] is None


def test_a_changed_document_embeds_only_what_changed(http: httpx.Client, docs: str) -> None:
    changed = {**DOCUMENTS[2], "text": DOCUMENTS[2]["text"] + " Butter helps."}
    put = http.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": [changed]})
    counts = put.json()["progress"]["counts"]
    assert counts["embedded"] == 1
    assert search(http, query="butter")["results"][0]["id"] == "cooking.md"


def test_documents_are_read_listed_and_removed(http: httpx.Client, docs: str) -> None:
    extra = {"id": "a b/ü.md", "title": "Extra", "text": "Zephyr is a rare word.", "source": "extra"}
    put = http.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": [extra]})
    assert put.status_code == 200
    read = http.get("/api/v1/collections/docs/documents/a b/ü.md").json()
    assert read["document"]["text"] == extra["text"]
    assert read["current"] is True
    listed = http.get("/api/v1/collections/docs/documents", params={"source": "extra"}).json()
    assert [d["id"] for d in listed["documents"]] == [extra["id"]]
    removed = http.delete("/api/v1/collections/docs/documents/a b/ü.md", params={"wait": "true"})
    assert removed.json()["removed"] == 1
    assert http.get("/api/v1/collections/docs/documents/a b/ü.md").status_code == 404
    gone = {"must": [{"key": "document_id", "match": {"value": extra["id"]}}]}
    assert http.post("/api/v1/collections/docs/points/count", json={"filter": gone}).json() == {"count": 0}


def test_bad_documents_are_refused_one_by_one(http: httpx.Client, docs: str) -> None:
    mixed = [{"id": "ok.md", "text": "fine words"}, {"id": "", "text": "no id"}, {"id": "empty.md", "text": "  "}]
    put = http.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": mixed}).json()
    assert put["accepted"] == 1
    assert [(r["index"], bool(r["reason"])) for r in put["refused"]] == [(1, True), (2, True)]


def test_without_wait_a_job_says_how_far_it_is(http: httpx.Client, docs: str) -> None:
    put = http.post("/api/v1/collections/docs/documents", json={"documents": [{"id": "later.md", "text": "later"}]})
    assert put.status_code == 202
    job = http.get(f"/api/v1/jobs/{put.json()['job_id']}").json()
    assert job["kind"] == "ingest"
    assert job["state"] in {"pending", "running", "done"}


def test_an_alias_leads_to_its_collection(http: httpx.Client, docs: str) -> None:
    assert http.put("/api/v1/aliases/public", json={"collection": "docs"}).status_code == 200
    found = http.post("/api/v1/search", json={"collection": "public", "query": "alias"}).json()
    assert found["collection"] == "docs"
    extra = {"id": "by-alias.md", "text": "Quokkas smile."}
    put = http.post("/api/v1/collections/public/documents", params={"wait": "true"}, json={"documents": [extra]})
    assert put.status_code == 200, put.text
    assert http.get("/api/v1/collections/public/documents/by-alias.md").json()["current"] is True
    assert search(http, query="quokkas")["results"][0]["id"] == "by-alias.md"
    assert http.get("/api/v1/collections/public/documents", params={"limit": 1001}).json()["maximum"] == 1000
    http.delete("/api/v1/collections/public/documents/by-alias.md", params={"wait": "true"}).raise_for_status()
    refused = http.delete("/api/v1/collections/docs")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert http.delete("/api/v1/aliases/public").status_code == 200


def test_a_collection_ranks_as_it_was_created_to(http: httpx.Client) -> None:
    search = {"fusion": {"type": "scores", "sparse": 3, "document_dense": 0}, "limit": 2}
    created = http.post("/api/v1/collections", json={"name": "own-ranking", "search": search})
    assert created.json()["profile"]["search"]["fusion"]["sparse"] == 3
    assert created.json()["profile"]["search"]["prefetch_documents"] == 300
    put = http.post("/api/v1/collections/own-ranking/documents", params={"wait": "true"}, json={"documents": DOCUMENTS})
    assert put.json()["state"] == "done"
    body = {"collection": "own-ranking", "query": "an alias", "explain": True}
    first, *others = http.post("/api/v1/search", json=body).json()["results"]
    assert len(others) == 1
    assert set(first["explanation"]["contributions"]) == {"dense", "sparse", "document_sparse"}
    body["settings"] = {"fusion": {"type": "scores"}}
    first, *_ = http.post("/api/v1/search", json=body).json()["results"]
    assert len(first["explanation"]["contributions"]) == 4
