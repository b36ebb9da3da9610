"""The caller's own vectors over HTTP: JSON, MessagePack and raw float32, points, scroll, counts, batch."""

import re
from array import array
from time import monotonic, sleep

import httpx
import msgspec
import pytest
from serving import RunningServer, StartServer, until

POINTS = [
    {"id": i, "vector": {"dense": [1.0, i / 10, 0.0, 0.0]}, "payload": {"number": i, "even": i % 2 == 0}}
    for i in range(20)
]


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server(None, VECTIS_SEARCH__RECALL_SAMPLE_PERCENT="50")


@pytest.fixture(scope="module")
def own(http: httpx.Client) -> str:
    made = http.post(
        "/api/v1/collections", json={"name": "vecs", "vectors": {"dense": {"size": 4, "distance": "Cosine"}}}
    )
    assert made.status_code == 201, made.text
    assert http.put("/api/v1/collections/vecs/points", json={"points": POINTS}).json() == {"upserted": 20}
    return "vecs"


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


def test_json_msgpack_and_raw_bodies_give_the_same_answer(http: httpx.Client, own: str) -> None:
    vector = array("f", [1.0, 0.52, 0.0, 0.0])
    as_json = http.post("/api/v1/vectors/search", json={"collection": own, "query_vector": vector.tolist(), "limit": 4})
    as_msgpack = http.post(
        "/api/v1/vectors/search",
        content=msgspec.msgpack.encode({"collection": own, "query_vector": vector.tobytes(), "limit": 4}),
        headers={"content-type": "application/msgpack", "accept": "application/msgpack"},
    )
    raw = http.post(
        "/api/v1/vectors/search",
        params={"collection": own, "limit": 4},
        content=vector.tobytes(),
        headers={"content-type": "application/octet-stream"},
    )
    assert ids(as_json) == ids(raw) == [5, 6, 4, 7]
    assert [r["id"] for r in msgspec.msgpack.decode(as_msgpack.content)["results"]] == ids(raw)
    assert as_json.json()["results"][0]["payload"] == {"number": 5, "even": False}


def test_filter_offset_threshold_and_selectors(http: httpx.Client, own: str) -> None:
    body = {"collection": own, "query_vector": [1.0, 0.5, 0.0, 0.0], "limit": 3}
    even = {"must": [{"key": "even", "match": {"value": True}}]}
    assert set(ids(http.post("/api/v1/vectors/search", json={**body, "filter": even}))) == {4, 6, 8}
    assert ids(http.post("/api/v1/vectors/search", json={**body, "offset": 1, "limit": 1})) != [5]
    near = http.post("/api/v1/vectors/search", json={**body, "score_threshold": 0.9999, "with_payload": False})
    assert ids(near) == [5]
    assert "payload" not in near.json()["results"][0]
    full = http.post("/api/v1/vectors/search", json={**body, "with_vectors": True, "limit": 1, "exact": True}).json()
    assert len(full["results"][0]["vector"]["dense"]) == 4


def test_a_batch_answers_in_order(http: httpx.Client, own: str) -> None:
    searches = [{"collection": own, "query_vector": [1.0, n / 10, 0.0, 0.0], "limit": 1} for n in (3, 9, 0)]
    answer = http.post("/api/v1/vectors/search/batch", json={"searches": searches}).json()
    assert [a["results"][0]["id"] for a in answer["answers"]] == [3, 9, 0]
    refused = http.post("/api/v1/vectors/search/batch", json={"searches": searches[:1] * 101})
    assert (refused.status_code, refused.json()["maximum"]) == (422, 100)


def test_scroll_reads_every_point_once(http: httpx.Client, own: str) -> None:
    seen: list[int] = []
    offset = None
    while True:
        page = http.post(f"/api/v1/collections/{own}/points/scroll", json={"limit": 7, "offset": offset}).json()
        seen += [p["id"] for p in page["points"]]
        offset = page["next_offset"]
        if offset is None:
            break
    assert seen == list(range(20))


def test_points_are_read_counted_replaced_and_deleted(http: httpx.Client, own: str) -> None:
    base = f"/api/v1/collections/{own}/points"
    assert http.get(f"{base}/3").json()["payload"]["number"] == 3
    assert [p["id"] for p in http.post(f"{base}/get", json={"ids": [9, 1000, 2]}).json()["points"]] == [9, 2]
    uuid = "8e0c0c0e-6a52-4b8e-9d3b-0a8f3f8f6a11"
    http.put(base, json={"points": [{"id": uuid, "vector": [0, 0, 1, 0], "payload": {"number": 99}}]})
    assert http.get(f"{base}/{uuid}").json()["payload"] == {"number": 99}
    assert http.post(f"{base}/delete", json={"ids": [uuid]}).json() == {"deleted": True}
    assert http.get(f"{base}/{uuid}").json()["code"] == "point_not_found"
    assert http.post(f"{base}/count", json={}).json() == {"count": 20}


def test_points_are_written_through_an_alias(http: httpx.Client, own: str) -> None:
    http.put("/api/v1/aliases/through", json={"collection": own}).raise_for_status()
    base = "/api/v1/collections/through/points"
    assert http.put(base, json={"points": [{"id": 500, "vector": [0, 0, 0, 1]}]}).json() == {"upserted": 1}
    assert http.get(f"/api/v1/collections/{own}/points/500").status_code == 200
    assert http.post(f"{base}/delete", json={"ids": [500]}).json() == {"deleted": True}
    assert http.post(f"{base}/count", json={}).json() == {"count": 20}
    http.delete("/api/v1/aliases/through").raise_for_status()


def test_a_filter_without_an_index_is_told_and_counted_until_there_is_one(http: httpx.Client, own: str) -> None:
    by_colour = {"must": [{"key": "colour", "match": {"value": "red"}}]}
    asked = {"collection": own, "query_vector": [1.0, 0.0, 0.0, 0.0], "filter": by_colour}
    assert http.post("/api/v1/vectors/search", json=asked).json()["unindexed_filter"] == ["colour"]
    detail = http.get(f"/api/v1/collections/{own}").json()
    assert detail["filters"]["colour"] == {"searches": 1, "unindexed": 1}
    http.post(f"/api/v1/collections/{own}/indexes", json={"key": "colour", "kind": "keyword"}).raise_for_status()
    deadline = monotonic() + 30
    while "unindexed_filter" in http.post("/api/v1/vectors/search", json=asked).json():
        assert monotonic() < deadline
        sleep(0.2)
    uses = http.get(f"/api/v1/collections/{own}").json()["filters"]["colour"]
    assert uses["searches"] == uses["unindexed"] + 1
    assert f'vectis_search_filter_keys_total{{collection="{own}",indexed="no",key="colour"' in http.get("/metrics").text


def test_optimize_now_and_as_a_job(http: httpx.Client, own: str) -> None:
    now = http.post(f"/api/v1/collections/{own}/optimize", params={"wait": "true"})
    assert now.status_code == 200
    assert isinstance(now.json()["optimized"], bool)
    later = http.post(f"/api/v1/collections/{own}/optimize")
    assert later.status_code == 202
    assert http.get(f"/api/v1/jobs/{later.json()['job_id']}").json()["kind"] == "optimize"


def test_health_says_what_it_asked(http: httpx.Client) -> None:
    for path in ("/health", "/api/health", "/api/v1/health"):
        health = http.get(path).json()
        assert health["status"] == "healthy", health
        assert health["database"] == "connected"
        assert set(health["checks"]) == {"store", "engine", "embedder", "jobs", "upkeep"}


def test_metrics_join_all_processes(http: httpx.Client, own: str) -> None:
    text = http.get("/metrics").text
    assert 'vectis_search_requests_total{collection="vecs"' in text
    assert 'process="api-1"' in text
    assert 'process="worker-1"' in text
    assert "vectis_engine_collection_points" in text


def test_recall_is_sampled_behind_the_answers(http: httpx.Client, own: str) -> None:
    asked = 0

    def sampled() -> dict[str, float] | None:
        nonlocal asked
        asked += 1
        body = {"collection": own, "query_vector": [1.0, asked / 7, 0.0, 0.0], "limit": 4}
        http.post("/api/v1/vectors/search", json=body).raise_for_status()
        pattern = r'vectis_recall_(exact|found)_results_total\{collection="vecs",filter=""[^}]*\} ([\d.]+)'
        counts = {kind: float(count) for kind, count in re.findall(pattern, http.get("/metrics").text)}
        return counts if counts.get("exact") else None

    counts = until(sampled, 30, "a query was asked exactly too")
    assert counts["found"] == counts["exact"]  # twenty points leave no graph to miss anything in
