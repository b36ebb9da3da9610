"""A server with a cross-encoder of a local folder: asked for by mode and by a collection's settings, and seen in the answer."""

from pathlib import Path

import pytest
from crossencoder_model import write_model
from serving import RunningServer, StartServer, refused

PAGES = {
    "near": "fulcrum is near",
    "other": "nothing of it",
    "exact": "a beam on a fulcrum is what a lever is",
}


@pytest.fixture(scope="module")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> RunningServer:
    folder = write_model(tmp_path_factory.mktemp("model"))
    server = start_server(
        None,
        VECTIS_EMBEDDER__KIND="none",
        VECTIS_RERANKER__KIND="cross_encoder",
        VECTIS_RERANKER__FOLDER=str(folder),
    )
    server.http.post("/api/v1/collections", json={"name": "docs"}).raise_for_status()
    documents = [{"id": id, "text": text} for id, text in PAGES.items()]
    put = server.http.post("/api/v1/collections/docs/documents", params={"wait": "true"}, json={"documents": documents})
    put.raise_for_status()
    return server


def ask(server: RunningServer, **given: object) -> dict:
    body = {"collection": "docs", "query": "what is a fulcrum", "explain": True, **given}
    return server.http.post("/api/v1/search", json=body).raise_for_status().json()


def test_the_best_mode_reranks_and_shows_its_part(server: RunningServer) -> None:
    plain, best = ask(server), ask(server, mode="best")
    assert (plain["results"][0]["id"], best["results"][0]["id"]) == ("near", "exact")
    for result in best["results"]:
        assert sum(result["explanation"]["contributions"].values()) == pytest.approx(result["score"])
    assert best["results"][0]["explanation"]["prefetches"]["rerank"]["rank"] == 1
    assert "rerank" in best["stages_ms"]
    assert "rerank" not in plain["stages_ms"]
    assert "rerank" not in best["degraded"]


def test_a_collection_can_be_reranked_by_its_settings(server: RunningServer) -> None:
    put = {"search": {"rerank": {"candidates": 5, "weight": 10}}}
    server.http.put("/api/v1/collections/docs/search-settings", json=put).raise_for_status()
    assert ask(server)["results"][0]["id"] == "exact"
    assert ask(server, settings={"rerank": {"weight": 0}})["results"][0]["id"] == "near"
    rrf = {"fusion": {"type": "rrf"}}
    answer = server.http.post(
        "/api/v1/search", json={"collection": "docs", "query": "x", "settings": {**rrf, "rerank": {}}}
    )
    assert answer.status_code == 422
    assert answer.json()["field"] == "settings.rerank"


def test_a_folder_without_a_model_stops_the_start(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", VECTIS_RERANKER__KIND="cross_encoder", VECTIS_RERANKER__FOLDER=str(tmp_path))
    assert "reranker.folder" in said
