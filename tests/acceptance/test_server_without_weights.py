"""A server without an embedder: it says so, and searches by BM25 alone."""

import httpx
import pytest
from serving import RunningServer, StartServer

DOCUMENTS = [
    {"id": "kettle.md", "title": "Kettles", "text": "# Kettles\n\nDescale the kettle with vinegar once a month."},
    {"id": "oven.md", "title": "Ovens", "text": "# Ovens\n\nLine the tray before you roast vegetables."},
]


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server(VECTIS_EMBEDDER__KIND="none")


@pytest.fixture(scope="module")
def docs(http: httpx.Client) -> str:
    assert http.post("/api/v1/collections", json={"name": "docs"}).status_code == 201
    put = http.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": DOCUMENTS})
    assert (put.status_code, put.json()["state"]) == (200, "done"), put.text
    counts = put.json()["progress"]["counts"]
    assert counts["without_dense"] == counts["chunks"] >= 2
    assert counts["embedded"] == 0
    return "docs"


def test_health_is_degraded_and_says_what_to_do(http: httpx.Client) -> None:
    answer = http.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert health["status"] == "degraded"
    assert health["checks"]["embedder"]["status"] == "failed"
    assert "embedder.kind" in health["checks"]["embedder"]["detail"]
    assert health["checks"]["store"]["status"] == health["checks"]["engine"]["status"] == "ok"


@pytest.mark.parametrize(("mode", "degraded"), [("sparse", []), ("hybrid", ["dense"]), (None, ["dense"])])
def test_documents_are_found_by_their_words(
    http: httpx.Client, docs: str, mode: str | None, degraded: list[str]
) -> None:
    body = {"collection": docs, "query": "descale kettles", "explain": True} | ({"mode": mode} if mode else {})
    found = http.post("/api/v1/search", json=body).json()
    assert found["degraded"] == degraded
    assert found["results"][0]["id"] == "kettle.md"
    assert "<mark>" in found["results"][0]["snippet"]
    assert set(found["results"][0]["explanation"]["prefetches"]) - {"document_sparse"} == {"sparse"}


def test_a_question_for_dense_vectors_alone_is_for_later(http: httpx.Client, docs: str) -> None:
    answer = http.post("/api/v1/search", json={"collection": docs, "query": "descale kettles", "mode": "dense"})
    assert (answer.status_code, answer.json()["code"]) == (503, "embedder_unavailable"), answer.text
    assert int(answer.headers["retry-after"]) >= 1


def test_a_candidate_that_could_not_be_embedded_is_refused_at_once(http: httpx.Client, docs: str) -> None:
    assert http.put("/api/v1/aliases/served", json={"collection": docs}).is_success
    asked = {"alias": "served", "change": "reembed", "build": {"chunking": {"target": 64}}}
    answer = http.post("/api/v1/rollouts", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (503, "embedder_unavailable"), answer.text
    assert "embedder.kind" in answer.json()["detail"]


def test_documents_without_dense_vectors_wait_for_an_embedder(
    http: httpx.Client, docs: str, server: RunningServer, start_server: StartServer
) -> None:
    """They are not current; sent again to a server that has one, they are found by meaning."""
    listed = http.get(f"/api/v1/collections/{docs}/documents").json()["documents"]
    assert [line["current"] for line in listed] == [False, False]
    assert server.stop() == 0

    embedding = start_server(server.folder).http
    put = embedding.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": DOCUMENTS})
    assert put.json()["accepted"] == 2
    assert put.json()["progress"]["counts"]["embedded"] >= 2
    found = embedding.post(
        "/api/v1/search", json={"collection": "docs", "query": "cleaning limescale off a boiler", "mode": "dense"}
    ).json()
    assert found["results"][0]["id"] == "kettle.md"
    assert found["degraded"] == []
