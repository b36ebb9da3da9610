"""SIGKILL to API processes while a paid model writes: the day's bound holds for all of them, and for the server after them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from socket import socket
from time import sleep
from typing import Any

import httpx
import psutil
import pytest
from json_endpoint import JsonEndpoint
from serving import RunningServer, StartServer, until

TOKENS, QUESTION_MAX, BOUND = 100, 200, 4_000
"""What a passage costs, what may be set aside for a question, and what a day may cost: a token costs 1."""

WRITING_S = 0.3
CLIENTS = 8


class PaidModel(JsonEndpoint):
    """Chat completions and embeddings. It counts a passage before it writes it, as a provider would."""

    def __init__(self) -> None:
        self.passages = 0
        self._lock = threading.Lock()
        super().__init__()

    def answer(self, body: dict[str, Any], connection: socket) -> dict[str, Any]:
        if "messages" not in body:
            return {"data": [{"index": n, "embedding": [1.0, 2.0]} for n in range(len(body["input"]))]}
        with self._lock:
            self.passages += 1
        sleep(WRITING_S)  # so that a kill meets passages that are being written
        return {"choices": [{"message": {"content": "a passage"}}], "usage": {"total_tokens": TOKENS}}


@pytest.fixture
def model() -> Iterator[PaidModel]:
    model = PaidModel()
    yield model
    model.close()


def test_a_day_costs_no_more_than_it_may(start_server: StartServer, tmp_path: Path, model: PaidModel) -> None:
    folder = tmp_path / "data"
    environment = {
        "VECTIS_EMBEDDER__KIND": "openai",
        "VECTIS_EMBEDDER__URL": model.url,
        "VECTIS_EMBEDDER__DIMENSION": "2",
        "VECTIS_GENERATOR__URL": model.url,
        "VECTIS_GENERATOR__PRICE_PER_MILLION_TOKENS": "1e6",
        "VECTIS_GENERATOR__COST_PER_DAY_MAX": str(BOUND),
        "VECTIS_LIMITS__PER_IP_REQUESTS": "0",
    }
    server = start_server(folder, "--workers", "2", **environment)
    server.http.post("/api/v1/collections", json={"name": "docs"}).raise_for_status()
    spent_out, kills = threading.Event(), 0
    with ThreadPoolExecutor(CLIENTS) as clients:
        asking = [clients.submit(ask_until, server.url, f"{number}", spent_out) for number in range(CLIENTS)]
        while not all(each.done() for each in asking):
            if kills < 2 and model.passages >= CLIENTS * (kills + 1):
                for name, process in server.processes().items():
                    if name.startswith("api"):
                        with suppress(psutil.NoSuchProcess):
                            process.kill()
                kills += 1
            sleep(0.02)  # a look at what the clients reached
        for each in asking:
            each.result()
    ask_until(server.url, "the last one", threading.Event())  # what the others had set aside has come back
    paid = model.passages * TOKENS
    assert kills == 2
    assert paid <= BOUND
    assert paid >= BOUND - (2 * CLIENTS + 1) * QUESTION_MAX, "more was lost to the kills than they can have met"
    cost = until(lambda: today(server), 30, "the metrics page tells the cost")
    assert paid <= cost <= BOUND
    assert server.stop() == 0
    server = start_server(folder, **environment)
    assert hyde(httpx.Client(base_url=server.url, timeout=60), "after a restart") == ["hyde"]
    assert today(server) == cost
    assert server.stop() == 0


def ask_until(url: str, name: str, spent_out: threading.Event) -> None:
    """Ask one question after the other until one, of anybody, is answered without the model."""
    number = 0
    while not spent_out.is_set():
        number += 1
        with suppress(httpx.TransportError), httpx.Client(base_url=url, timeout=60) as http:
            if hyde(http, f"question {number} of {name}") == ["hyde"]:
                spent_out.set()


def hyde(http: httpx.Client, query: str) -> list[str]:
    """What a question with one hypothetical answer was answered without."""
    settings = {"hyde": {"documents": 1, "max_tokens": TOKENS, "timeout_ms": 30_000}}
    body = {"collection": "docs", "query": query, "mode": "hyde", "settings": settings}
    return http.post("/api/v1/search", json=body).raise_for_status().json()["degraded"]


def today(server: RunningServer) -> float | None:
    """The day's cost as the metrics page tells it."""
    with suppress(httpx.TransportError):
        for line in server.http.get("/metrics").text.splitlines():
            if line.startswith("vectis_hyde_cost_today "):
                return float(line.split()[1])
    return None
