"""Vector search over HTTP as a share of a plain loop over the engine, on the same shard, in turns within one run."""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import uvloop

from benchmarks.plain_loop import HNSW_EF, LIMIT
from benchmarks.server import Server, running_server
from benchmarks.vectors import DIMENSION, Floats, exact_top, make, recall
from vectis.adapters.edge.client import EdgeEngine
from vectis.entrypoints.cli.load import LoadReport, load, post
from vectis.runtime.paths import FolderLayout

QUERIES = 1000
COLLECTION = "bench"
SEARCH = "/api/v1/vectors/search"


def measure(points: int, *, clients: tuple[int, ...], rounds: int, seconds: float, workers: int) -> dict[str, Any]:
    """Build a collection of `points`, then measure in turns: plain loop, then each number of clients, then each body."""
    vectors, queries = make(points, part=0), make(QUERIES, part=1)
    with tempfile.TemporaryDirectory(prefix="vectis-bench-") as temporary, running_server(workers=workers) as server:
        image, queries_file = Path(temporary) / "image", Path(temporary) / "queries.npy"
        np.save(queries_file, queries)
        server.create(COLLECTION, DIMENSION)
        upload_s = server.upload(COLLECTION, vectors)
        build_s = server.optimize(COLLECTION)
        asyncio.run(_snapshot(server, image))
        wanted = exact_top(vectors, queries, LIMIT)
        loops: list[float] = []
        http: dict[str, list[LoadReport]] = {}
        found: list[list[int]] = []
        for _ in range(rounds):
            plain = _plain_loop(image / "shard", queries_file, seconds)
            loops.append(plain["queries_per_s"])
            found = plain["found"]
            for count in clients:
                http.setdefault(f"json {count} clients", []).append(_load(server, _json(queries), count, seconds))
            for body, requests in (("msgpack", _msgpack(queries)), ("raw float32", _raw(queries))):
                http.setdefault(f"{body} {clients[-1]} clients", []).append(
                    _load(server, requests, clients[-1], seconds)
                )
        return {
            "points": points,
            "workers": workers,
            "upload_points_per_s": round(points / upload_s),
            "build_s": round(build_s, 1),
            "recall_at_10": {
                "plain loop": round(recall(found, wanted), 4),
                "http": round(recall(_found(server, queries), wanted), 4),
            },
            "plain_loop_queries_per_s": [round(rate) for rate in loops],
            "http": {name: _summary(reports, loops) for name, reports in http.items()},
            "resident_mib": server.resident_mib(),
        }


def _summary(reports: list[LoadReport], loops: list[float]) -> dict[str, Any]:
    shares = [r.requests_per_s / loop for r, loop in zip(reports, loops, strict=True)]
    return {
        "requests_per_s": [round(r.requests_per_s) for r in reports],
        "share_of_plain_loop": round(statistics.median(shares), 3),
        "latency_ms_p50": statistics.median(r.latency_ms_p50 for r in reports),
        "latency_ms_p99": statistics.median(r.latency_ms_p99 for r in reports),
        "errors": sum(r.errors for r in reports),
    }


def _load(server: Server, requests: list[bytes], clients: int, seconds: float) -> LoadReport:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load(server.url, requests, clients, seconds))


def _plain_loop(shard: Path, queries: Path, seconds: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.plain_loop", str(shard), str(queries), str(seconds)],
        check=True,
        capture_output=True,
    )
    return json.loads(done.stdout)


async def _snapshot(server: Server, image: Path) -> None:
    engine = EdgeEngine(FolderLayout(server.folder).engine_socket)
    await engine.connect()
    try:
        await engine.snapshot(COLLECTION, image)
    finally:
        await engine.close()


def _found(server: Server, queries: Floats) -> list[list[int]]:
    with httpx.Client(base_url=server.url) as http:
        return [
            [hit["id"] for hit in http.post(SEARCH, json=_body(vector.tolist())).json()["results"]]
            for vector in queries
        ]


def _body(vector: list[float] | bytes) -> dict[str, object]:
    return {"collection": COLLECTION, "query_vector": vector, "limit": LIMIT, "hnsw_ef": HNSW_EF, "rescore": True,
            "oversampling": 2.0}  # fmt: skip


def _json(queries: Floats) -> list[bytes]:
    return [post(SEARCH, json.dumps(_body(v.tolist())).encode(), "application/json") for v in queries]


def _msgpack(queries: Floats) -> list[bytes]:
    return [post(SEARCH, msgspec.msgpack.encode(_body(v.tobytes())), "application/msgpack") for v in queries]


def _raw(queries: Floats) -> list[bytes]:
    path = f"{SEARCH}?collection={COLLECTION}&limit={LIMIT}"
    return [post(path, v.tobytes(), "application/octet-stream") for v in queries]
