"""The story of documents with the control store on PostgreSQL, named by DATABASE_URL."""

from pathlib import Path

import psycopg
import pytest
from postgres import postgres_cluster, postgres_url  # noqa: F401
from serving import RunningServer, StartServer, refused

DOCUMENTS = [
    {"id": "tea.md", "text": "# Tea\n\nGreen tea is steeped at eighty degrees.", "payload": {"language": "en"}},
    {"id": "coffee.md", "text": "# Coffee\n\nEspresso is pressed through fine grounds.", "source": "drinks"},
    {"id": "cocoa.md", "text": "# Cocoa\n\nStir the cocoa into hot milk."},
]


@pytest.fixture(scope="module")
def environment(postgres_url: str) -> dict[str, str]:  # noqa: F811
    return {"DATABASE_URL": postgres_url, "VECTIS_EMBEDDER__KIND": "none"}


@pytest.fixture(scope="module")
def server(start_server: StartServer, environment: dict[str, str]) -> RunningServer:
    return start_server(**environment)


def first(server: RunningServer, query: str) -> str:
    answer = server.http.post("/api/v1/search", json={"collection": "drinks", "query": query})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][0]["id"]


def test_documents_are_kept_in_postgresql_indexed_found_and_still_there_after_a_kill(
    server: RunningServer, start_server: StartServer, environment: dict[str, str]
) -> None:
    http = server.http
    assert http.get("/health").json()["database"] == "connected"
    assert http.post("/api/v1/collections", json={"name": "docs"}).status_code == 201
    assert http.put("/api/v1/aliases/drinks", json={"collection": "docs"}).status_code == 200
    documents = "/api/v1/collections/docs/documents"
    put = http.post(documents, params={"wait": "true"}, json={"documents": DOCUMENTS})
    assert (put.status_code, put.json()["state"], put.json()["accepted"]) == (200, "done", 3), put.text
    assert first(server, "green tea") == "tea.md"
    assert first(server, "espresso grounds") == "coffee.md"
    sourced = http.get(documents, params={"source": "drinks"}).json()["documents"]
    assert [line["id"] for line in sourced] == ["coffee.md"]
    removed = http.delete(f"{documents}/cocoa.md", params={"wait": "true"})
    assert removed.json()["removed"] == 1

    jobs = http.get("/api/v1/jobs").json()["jobs"]
    assert [(job["kind"], job["state"]) for job in jobs] == [("ingest", "done")] * 2
    assert http.get(f"/api/v1/jobs/{put.json()['job_id']}").json()["progress"]["done"] == 3
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        kept = connection.execute("SELECT id FROM documents ORDER BY id").fetchall()
    assert kept == [("coffee.md",), ("tea.md",)]
    assert not (server.folder / "control.sqlite").exists()

    server.kill_all()
    again = start_server(server.folder, **environment)
    assert first(again, "green tea") == "tea.md"
    put = again.http.post(
        documents, params={"wait": "true"}, json={"documents": [{**DOCUMENTS[0], "text": "Mint tea is cooling."}]}
    )
    assert put.json()["state"] == "done"
    assert first(again, "mint") == "tea.md"
    assert again.http.post("/api/v1/collections/docs/points/count", json={}).json() == {"count": 2}
    assert again.stop() == 0


def test_a_database_that_does_not_answer_is_named_at_the_start(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", DATABASE_URL="postgresql://127.0.0.1:1/none", VECTIS_EMBEDDER__KIND="none")
    assert "store_unavailable" in said
    assert "127.0.0.1" in said
