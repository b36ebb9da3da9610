"""The caches at the command line and over HTTP: seen, warmed, cleared."""

import json
import subprocess
import sys
from typing import Any

import pytest
from serving import ENVIRONMENT, RunningServer, StartServer

VECTOR = {"collection": "books", "query_vector": [1.0, 0.0]}


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    """One API process with a collection of one point."""
    started = start_server(None, VECTIS_EMBEDDER__KIND="none", VECTIS_CACHE__WRITE_AFTER_S="600")
    made = {"name": "books", "vectors": {"dense": {"size": 2}}}
    started.http.post("/api/v1/collections", json=made).raise_for_status()
    write(started)
    return started


def write(server: RunningServer) -> None:
    points = [{"id": 1, "vector": {"dense": [1.0, 0.0]}}]
    server.http.put("/api/v1/collections/books/points", json={"points": points}).raise_for_status()


def ask(server: RunningServer) -> str:
    return server.http.post("/api/v1/vectors/search", json=VECTOR).headers["x-cache"]


def cache(server: RunningServer, *words: str) -> Any:
    command = [sys.executable, "-m", "vectis", "cache", *words, "--url", server.url, "--json"]
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_stats_warm_clear(server: RunningServer) -> None:
    assert [ask(server) for _ in range(4)] == ["miss", "hit", "hit", "hit"]
    stats = cache(server, "stats")
    assert stats["answers"]["hits_total"] == 3
    assert stats["answers"]["hit_ratio"] == 0.75
    assert stats["tier"] == stats["redis"] == {}
    write(server)
    assert cache(server, "warm", "--count", "5") == {"warmed": 1}
    assert ask(server) == "hit"
    assert cache(server, "clear") == {"answers": True, "embeddings": 0}
    assert ask(server) == "miss"


def test_what_is_asked_for_is_checked(server: RunningServer) -> None:
    assert server.http.post("/api/v1/cache/warm", json={"count": 0}).status_code == 400
    assert server.http.post("/api/v1/cache/clear", json={"vectors": True}).status_code == 400


def test_where_nothing_is_kept(start_server: StartServer) -> None:
    bare = start_server(None, VECTIS_EMBEDDER__KIND="none", ENABLE_CACHE="false")
    assert bare.http.get("/api/v1/cache").json() == {"answers": {}, "tier": {}, "embeddings": {}, "redis": {}}
    assert bare.http.post("/api/v1/cache/warm", json={}).json() == {"warmed": 0}
    assert bare.http.post("/api/v1/cache/clear", json={"embeddings": True}).json() == {
        "answers": False,
        "embeddings": 0,
    }
