"""Bad input: a clear error with a stable code, and nothing changed."""

import json

import httpx
import pytest


@pytest.fixture(scope="module")
def own(http: httpx.Client) -> str:
    made = http.post(
        "/api/v1/collections", json={"name": "own", "vectors": {"dense": {"size": 3, "distance": "Cosine"}}}
    )
    assert made.status_code == 201, made.text
    put = http.put("/api/v1/collections/own/points", json={"points": [{"id": 1, "vector": {"dense": [1, 2, 3]}}]})
    assert put.status_code == 200, put.text
    return "own"


VECTOR = {"collection": "own", "query_vector": [1.0, 2.0, 3.0]}


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "says"),
    [
        ("/api/v1/vectors/search", {**VECTOR, "collection": "nowhere"}, 404, "collection_not_found", "nowhere"),
        ("/api/v1/vectors/search", {**VECTOR, "query_vector": [1.0]}, 422, "wrong_dimension", "the collection has 3"),
        ("/api/v1/vectors/search", {**VECTOR, "limit": 1001}, 422, "limit_exceeded", "1000"),
        ("/api/v1/vectors/search", {**VECTOR, "limit": 0}, 400, "malformed_body", "limit"),
        ("/api/v1/vectors/search", {**VECTOR, "colour": 1}, 400, "malformed_body", "colour"),
        ("/api/v1/vectors/search", {**VECTOR, "filter": {"must": [{"key": "a"}]}}, 422, "invalid_filter", "filter.must[0]"),
        ("/api/v1/vectors/search", {**VECTOR, "filter": {"must": [{"kee": "a"}]}}, 400, "malformed_body", "$.filter.must[0]"),
        ("/api/v1/vectors/search", {**VECTOR, "query_vector": [1e39, 0, 0]}, 422, "invalid_vector", "finite"),
        ("/api/v1/search", {"collection": "own", "query": "words"}, 422, "unsupported", "vectors/search"),
        ("/api/v1/collections", {"name": "../etc"}, 422, "invalid_name", "letter or digit"),
        ("/api/v1/collections", {"name": "own"}, 409, "collection_exists", "own"),
        ("/api/v1/collections", {"name": "x", "profile": "wild"}, 404, "not_found", "document"),
        ("/api/v1/collections", {"name": "x", "vectors": {"a": {"size": 0}}}, 422, "invalid_input", "vectors.a.size"),
        ("/api/v1/collections/own/documents", {"documents": [{"id": "a", "text": "b"}]}, 422, "unsupported", "vectors"),
        ("/api/v1/collections/own/points/delete", {"filter": {}}, 422, "invalid_input", "empty filter"),
        ("/api/v1/nowhere", {}, 404, "route_not_found", "openapi.json"),
    ],
)  # fmt: skip
def test_refusals(
    http: httpx.Client, own: str, path: str, body: dict[str, object], status: int, code: str, says: str
) -> None:
    answer = http.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert says in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize(
    ("point", "code"),
    [
        ({"id": 2, "vector": {"dense": [1, 2]}}, "wrong_dimension"),
        ({"id": 2, "vector": {"other": [1, 2, 3]}}, "invalid_vector"),
        ({"id": "not a uuid", "vector": {"dense": [1, 2, 3]}}, "invalid_input"),
        ({"id": -1, "vector": {"dense": [1, 2, 3]}}, "invalid_input"),
        ({"id": 2, "vector": {"dense": [1, 2, "x"]}}, "invalid_vector"),
        ({"id": 2, "vector": {"dense": [1, 2, 1e300]}}, "invalid_vector"),
    ],
)
def test_one_bad_point_and_nothing_is_written(
    http: httpx.Client, own: str, point: dict[str, object], code: str
) -> None:
    good = {"id": 77, "vector": {"dense": [1, 2, 3]}}
    answer = http.put("/api/v1/collections/own/points", json={"points": [good, point]})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert "points[1]" in answer.json()["detail"]
    assert http.get("/api/v1/collections/own/points/77").status_code == 404


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "malformed_body"),
        (b"\xff\xfe", "malformed_body"),
        (b'{"collection": "own", "query_vector": [NaN]}', "malformed_body"),
        (b'{"collection":"own","query_vector":[1,2,3],"filter":' + b'{"must":[' * 10_000, "malformed_body"),
        (b"[" * 10_000, "malformed_body"),
    ],
)
def test_broken_bodies(http: httpx.Client, own: str, content: bytes, code: str) -> None:
    answer = http.post("/api/v1/vectors/search", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


def test_filters_nested_10000_deep_are_refused_by_every_decoder(http: httpx.Client, own: str) -> None:
    deep = '{"must":[' * 10_000 + "{}" + "]}" * 10_000
    body = f'{{"collection":"own","query_vector":[1,2,3],"filter":{deep}}}'
    answer = http.post("/api/v1/vectors/search", content=body.encode())
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
    payload = f'{{"points":[{{"id":5,"vector":{{"dense":[1,2,3]}},"payload":{{"a":{"[" * 10_000 + "]" * 10_000}}}}}]}}'
    answer = http.put("/api/v1/collections/own/points", content=payload.encode())
    assert answer.status_code in (400, 422), answer.text


def test_a_body_beyond_the_maximum_is_refused(http: httpx.Client, own: str) -> None:
    answer = http.post("/api/v1/vectors/search", content=b" " * (33 * 1024 * 1024))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/collections/own/points/1", "/health"])
def test_a_method_that_a_path_does_not_take(http: httpx.Client, path: str) -> None:
    answer = http.request("PATCH", path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] in answer.json()["detail"]


def test_an_empty_query(http: httpx.Client) -> None:
    http.post("/api/v1/collections", json={"name": "words"})
    answer = http.post("/api/v1/search", json={"collection": "words", "query": "   "})
    assert (answer.status_code, answer.json()["code"]) == (422, "empty_query")
    http.delete("/api/v1/collections/words")


def test_a_request_id_is_taken_over_and_a_strange_one_is_not(http: httpx.Client) -> None:
    assert http.get("/health", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert http.get("/health", headers={"x-request-id": "a b\tc"}).headers["x-request-id"] != "a b\tc"


def test_numbers_beyond_any_type_are_refused(http: httpx.Client, own: str) -> None:
    body = json.dumps(VECTOR)[:-1] + ', "offset": 99999999999999999999999}'
    answer = http.post("/api/v1/vectors/search", content=body.encode())
    assert (answer.status_code, answer.json()["code"]) == (422, "limit_exceeded"), answer.text
