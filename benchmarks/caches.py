"""What caches save: kept answers against computed ones, and questions whose vectors are known against unseen ones.

Each ratio comes from one server in one run, measured in turns.
"""

import asyncio
import json
import re
import statistics
from collections.abc import Iterator
from random import Random
from typing import Any

import uvloop

from benchmarks.server import Server, running_server
from benchmarks.vectors import DIMENSION, make
from examples.pages import Page, collect
from vectis.entrypoints.cli.trials.load import LoadReport, load, post

CLIENTS = 16
MODES = ("default", "hybrid", "dense")
QUESTION_WORDS = 8


def measure(points: int, pages_max: int, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Vector and text search with and without kept answers, then text search with known and with unseen vectors.

    Texts are the standard library's documentation, questions are words that follow each other in it.
    """
    pages = collect(pages_max)
    questions = _questions(pages)
    with running_server(embedder="minilm") as server:
        server.create("vectors", DIMENSION)
        server.upload("vectors", make(points, part=0))
        server.optimize("vectors")
        _write_documents(server, pages)
        vectors = [{"collection": "vectors", "query_vector": v.tolist(), "limit": 10} for v in make(200, part=1)]
        texts = [{"collection": "texts", "query": next(questions), "limit": 10} for _ in range(200)]
        return {
            "points": points,
            "documents": len(pages),
            "clients": CLIENTS,
            "vector_search": _kept(server, "/api/v1/vectors/search", vectors, rounds=rounds, seconds=seconds),
            "text_search": _kept(server, "/api/v1/search", texts, rounds=rounds, seconds=seconds),
            "embeddings": {mode: _known(server, mode, questions, rounds=rounds) for mode in MODES},
        }


def _kept(server: Server, path: str, bodies: list[dict[str, Any]], *, rounds: int, seconds: float) -> dict[str, Any]:
    """Requests per second with and without kept answers; the embedder has seen every question before."""
    requests = {
        name: [post(path, json.dumps(body).encode(), "application/json", kept=name == "kept") for body in bodies]
        for name in ("computed", "kept")
    }
    for each in requests.values():
        _load(server, each, clients=1, seconds=60.0, answers_max=len(each))
    runs: dict[str, list[LoadReport]] = {name: [] for name in requests}
    for turn in range(rounds):
        for name in sorted(requests, reverse=turn % 2 == 1):
            runs[name].append(_load(server, requests[name], clients=CLIENTS, seconds=seconds))
    pairs = zip(runs["kept"], runs["computed"], strict=True)
    ratios = [kept.requests_per_s / computed.requests_per_s for kept, computed in pairs]
    return {
        "requests_per_s": {name: [r.requests_per_s for r in reports] for name, reports in runs.items()},
        "errors": sum(r.errors for reports in runs.values() for r in reports),
        "kept_to_computed": [round(ratio, 2) for ratio in ratios],
        "median_ratio": round(statistics.median(ratios), 2),
    }


def _known(server: Server, mode: str, questions: Iterator[str], *, rounds: int) -> dict[str, Any]:
    """p50 of one client that asks each question once, and then again; no answer is kept."""
    unseen: list[float] = []
    known: list[float] = []
    for _ in range(rounds):
        bodies = [{"collection": "texts", "mode": mode, "query": next(questions)} for _ in range(200)]
        requests = [post("/api/v1/search", json.dumps(body).encode(), "application/json") for body in bodies]
        for found in (unseen, known):
            found.append(_load(server, requests, clients=1, seconds=60.0, answers_max=len(requests)).latency_ms_p50)
    ratios = [cold / warm for cold, warm in zip(unseen, known, strict=True)]
    return {
        "latency_ms_p50": {"unseen": unseen, "known": known},
        "unseen_to_known": [round(ratio, 2) for ratio in ratios],
        "median_ratio": round(statistics.median(ratios), 2),
    }


def _questions(pages: list[Page]) -> Iterator[str]:
    """Each other than those before, in an order that is the same each time."""
    texts = [re.findall(r"\w+", page["text"]) for page in pages]
    parts = [" ".join(words[i : i + QUESTION_WORDS]) for words in texts for i in range(0, len(words), QUESTION_WORDS)]
    parts = sorted({*parts})
    Random(1).shuffle(parts)
    return iter(parts)


def _write_documents(server: Server, pages: list[Page]) -> None:
    server.http.post("/api/v1/collections", json={"name": "texts"}).raise_for_status()
    documents = [{"id": page["id"], "title": page["title"], "text": page["text"]} for page in pages]
    server.http.post(
        "/api/v1/collections/texts/documents", params={"wait": "true"}, json={"documents": documents}
    ).raise_for_status()


def _load(
    server: Server, requests: list[bytes], *, clients: int, seconds: float, answers_max: int = 10_000_000
) -> LoadReport:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load(server.url, requests, clients, seconds, answers_max=answers_max))
