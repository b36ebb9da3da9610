"""Who is let in, how often, and what every answer carries, on a running server behind a proxy that it trusts."""

import json
import socket
from time import monotonic
from typing import Any

import httpx
import pytest
from serving import RunningServer, StartServer, until

from vectis.access.waiting import WAIT_S

BEHIND_A_PROXY = {
    "VECTIS_LIMITS__TRUSTED_PROXIES": "127.0.0.0/8",
    "VECTIS_LIMITS__ALLOWED_ADDRESSES": "203.0.113.0/24, 127.0.0.1",
    "VECTIS_LIMITS__PER_IP_REQUESTS": "5",
    "VECTIS_LIMITS__PER_IP_WINDOW_S": "600",
    "VECTIS_LIMITS__QUERY_BYTES_MAX": "256",
    "CORS_ORIGINS": "https://docs.example.org",
    "LOG_FILE": "logs/server.log",
    "ENABLE_REQUEST_TRACING": "true",
}


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> RunningServer:
    return start_server(**BEHIND_A_PROXY)


@pytest.fixture(scope="module")
def behind(server: RunningServer) -> httpx.Client:
    return server.http


def asked(http: httpx.Client, address: str, **headers: str) -> httpx.Response:
    return http.get("/api/v1/collections", headers={"x-forwarded-for": address, **headers})


def test_an_address_is_counted_told_and_stopped_while_others_go_on(behind: httpx.Client) -> None:
    seen = [asked(behind, "198.51.100.1, 203.0.113.5") for _ in range(7)]
    assert [answer.status_code for answer in seen] == [200] * 5 + [429] * 2
    assert seen[0].headers["ratelimit-policy"] == '"per_ip";q=5;w=600'
    assert seen[0].headers["ratelimit"].startswith('"per_ip";r=4;t=')
    refused = seen[-1]
    assert refused.json()["code"] == "rate_limited"
    assert 0 < int(refused.headers["retry-after"]) <= 120
    assert refused.headers["ratelimit"].startswith('"per_ip";r=0;t=')
    assert asked(behind, "203.0.113.6").status_code == 200
    assert behind.get("/health", headers={"x-forwarded-for": "203.0.113.5"}).status_code == 200


def test_a_stranger_who_asks_too_often_waits_for_each_refusal(behind: httpx.Client) -> None:
    def guess() -> httpx.Response:
        wrong = {"name": "nobody", "password": "not the password"}
        return behind.post("/api/v1/tokens", json=wrong, headers={"x-forwarded-for": "203.0.113.7"})

    assert 429 not in [guess().status_code for _ in range(5)]
    began = monotonic()
    assert [guess().status_code for _ in range(3)] == [429] * 3
    assert monotonic() - began >= 3 * WAIT_S - 0.05


def test_who_is_not_on_the_list_is_not_let_in_whatever_they_say(behind: httpx.Client) -> None:
    for claimed in ("198.51.100.1", "203.0.113.5, 198.51.100.1"):
        answer = asked(behind, claimed)
        assert (answer.status_code, answer.json()["code"]) == (403, "address_not_allowed")
    assert behind.get("/health", headers={"x-forwarded-for": "198.51.100.1"}).status_code == 403


def test_known_callers_of_this_machine_are_not_counted(behind: httpx.Client) -> None:
    assert {behind.get("/api/v1/collections").status_code for _ in range(20)} == {200}


def test_every_answer_protects_browsers(behind: httpx.Client) -> None:
    for path in ("/health", "/nowhere", "/openapi.json"):
        headers = behind.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "strict-transport-security" not in headers
    secure = behind.get("/health", headers={"x-forwarded-proto": "https"}).headers
    assert secure["strict-transport-security"] == "max-age=31536000; includeSubDomains"


def test_pages_of_listed_origins_may_call(behind: httpx.Client) -> None:
    wish = {"origin": "https://docs.example.org", "access-control-request-method": "POST"}
    assert behind.options("/api/v1/search", headers=wish).headers["access-control-allow-origin"] == wish["origin"]
    other = {**wish, "origin": "https://evil.example"}
    assert "access-control-allow-origin" not in behind.options("/api/v1/search", headers=other).headers


def test_a_query_string_has_its_bound(behind: httpx.Client) -> None:
    answer = behind.get("/api/v1/jobs", params={"kind": "x" * 300})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_each_request_is_a_line_of_the_log_with_its_trace(server: RunningServer, behind: httpx.Client) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"x-request-id": "traced-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    assert behind.get("/api/v1/collections?deleted=false", headers=headers).status_code == 200
    with socket.create_connection((behind.base_url.host, behind.base_url.port)) as stranger:
        stranger.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert stranger.recv(12) == b"HTTP/1.1 400"
    file = server.folder / "logs" / "server.log"

    def said() -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in file.read_text().splitlines())
        return [line for line in lines if line.get("request_id") == "traced-1" and line["event"] == "request"]

    (line,) = until(lambda: said() or None, 30, "the request is in the file")
    assert (line["operation"], line["method"], line["status"]) == ("list_collections", "GET", 200)
    assert (line["path"], line["trace_id"], line["process"]) == ("/api/v1/collections", trace, "api-1")
    assert 0 <= line["admitted_ms"] <= line["took_ms"]
    assert '"process": "supervisor"' in file.read_text(), "the supervisor's own lines are there too"
