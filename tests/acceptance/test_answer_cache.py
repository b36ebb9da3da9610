"""Kept answers over HTTP: what is kept, who is refused, and that no answer is older than an acknowledged write."""

import asyncio

import httpx
import pytest
from freshness import prepare, run
from serving import RunningServer, StartServer

SEARCH = "/api/v1/vectors/search"


@pytest.fixture(scope="module")
def pair(start_server: StartServer) -> RunningServer:
    """A server with two API processes."""
    server = start_server(None, "--workers", "2", VECTIS_EMBEDDER__KIND="none")
    asyncio.run(prepare(server.url))
    return server


def put(http: httpx.Client, name: str, number: int) -> None:
    points = [{"id": 1, "vector": {"dense": [1.0, 0.5]}, "payload": {"number": number}}]
    http.put(f"/api/v1/collections/{name}/points", json={"points": points}).raise_for_status()


def ask(server: RunningServer, headers: dict[str, str] | None = None, **body: object) -> httpx.Response:
    asked = {"collection": "blue", "query_vector": [1.0, 0.5], "limit": 1, **body}
    return server.http.post(SEARCH, json=asked, headers=headers)


def test_an_answer_is_kept_and_says_so(pair: RunningServer) -> None:
    put(pair.http, "blue", 1)
    first = ask(pair, limit=3)
    kept = [ask(pair, limit=3) for _ in range(3)]
    assert {first.content} == {answer.content for answer in kept}
    assert kept[-1].headers["x-cache"] == "hit"
    assert int(kept[-1].headers["age"]) >= 0
    assert len({answer.headers["x-request-id"] for answer in kept}) == 3
    anew = ask(pair, headers={"cache-control": "no-cache"}, limit=3)
    assert anew.status_code == 200
    assert "x-cache" not in anew.headers


def test_answers_in_other_forms_are_kept_apart(pair: RunningServer) -> None:
    as_json = [ask(pair) for _ in range(4)][-1]
    as_msgpack = [ask(pair, headers={"accept": "application/msgpack"}) for _ in range(4)][-1]
    assert as_json.headers["x-cache"] == as_msgpack.headers["x-cache"] == "hit"
    assert as_json.headers["content-type"] != as_msgpack.headers["content-type"]


def test_errors_are_not_kept(pair: RunningServer) -> None:
    for _ in range(3):
        refused = ask(pair, query_vector=[1.0])
        assert refused.status_code == 422
        assert "x-cache" not in refused.headers
    assert ask(pair, collection="later").status_code == 404
    body = {"name": "later", "vectors": {"dense": {"size": 2}}}
    pair.http.post("/api/v1/collections", json=body).raise_for_status()
    assert ask(pair, collection="later").json()["results"] == []
    put(pair.http, "later", 5)
    assert ask(pair, collection="later").json()["results"][0]["payload"] == {"number": 5}
    pair.http.delete("/api/v1/collections/later").raise_for_status()
    assert ask(pair, collection="later").status_code == 404


def test_degraded_answers_are_not_kept(pair: RunningServer) -> None:
    pair.http.post("/api/v1/collections", json={"name": "words"}).raise_for_status()
    for _ in range(4):
        answer = pair.http.post("/api/v1/search", json={"collection": "words", "query": "one"})
        assert answer.json()["degraded"] == ["dense"]
        assert answer.headers["x-cache"] == "miss"


def test_no_answer_is_older_than_an_acknowledged_write(pair: RunningServer) -> None:
    seen = asyncio.run(run(pair.url, 3000))
    assert seen.stale == []
    assert seen.failed == 0
    assert seen.kept > 0 < seen.writes
