"""Vector search over HTTP as a share of a plain loop over the engine, on the same vectors, in turns within one run.

There are two loops: over a shard made with the engine's own defaults, and over a copy of the very shard that the server made.
"""

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

from benchmarks.plain_loop import LIMIT
from benchmarks.server import Server, running_server
from benchmarks.vectors import DIMENSION, Floats, exact_top, make, recall
from vectis.adapters.edge.client import EdgeEngine
from vectis.domain.profiles import SearchSettings
from vectis.entrypoints.cli.trials.load import LoadReport, load, post
from vectis.runtime.paths import FolderLayout
from vectis.search.plan import default_params

QUERIES = 1000
COLLECTION = "bench"
SEARCH = "/api/v1/vectors/search"


def measure(points: int, *, clients: tuple[int, ...], rounds: int, seconds: float, workers: int) -> dict[str, Any]:
    """Build a collection of `points`, then measure in turns: both loops, each number of clients, each kind of body."""
    vectors, queries = make(points, part=0), make(QUERIES, part=1)
    effort = default_params(SearchSettings()).effort(points)
    with tempfile.TemporaryDirectory(prefix="vectis-bench-") as temporary, running_server(workers=workers) as server:
        folder = Path(temporary)
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "queries.npy", queries)
        server.create(COLLECTION, DIMENSION)
        upload_s = server.upload(COLLECTION, vectors)
        build_s = server.optimize(COLLECTION)
        last_build = asyncio.run(_snapshot(server, folder / "image"))
        _plain("build", folder / "defaults", folder / "vectors.npy")
        shards = {"engine defaults": folder / "defaults", "our shard": folder / "image" / "shard"}
        bodies = {f"json {count} clients": (_json(queries), count) for count in clients}
        bodies[f"msgpack {clients[-1]} clients"] = (_msgpack(queries), clients[-1])
        bodies[f"raw float32 {clients[-1]} clients"] = (_raw(queries), clients[-1])
        loops: dict[str, list[float]] = {name: [] for name in shards}
        found: dict[str, list[list[int]]] = {}
        http: dict[str, list[LoadReport]] = {name: [] for name in bodies}
        for _ in range(rounds):
            for name, shard in shards.items():
                answer = json.loads(_plain("ask", shard, folder / "queries.npy", str(seconds), str(effort)))
                loops[name].append(answer["queries_per_s"])
                found[name] = answer["found"]
            for name, (requests, count) in bodies.items():
                http[name].append(_load(server, requests, count, seconds))
        found["http"] = _found(server, queries)
        wanted = exact_top(vectors, queries, LIMIT)
        return {
            "points": points,
            "workers": workers,
            "upload_points_per_s": round(points / upload_s),
            "build_s": round(build_s, 1),
            "swap_ms": round(last_build["swap_s"] * 1000),
            "hnsw_ef": effort,
            "recall_at_10": {name: round(recall(ids, wanted), 4) for name, ids in found.items()},
            "plain_loop_queries_per_s": {name: [round(rate) for rate in rates] for name, rates in loops.items()},
            "http": {name: _summary(reports, loops) for name, reports in http.items()},
            "resident_mib": server.resident_mib(),
        }


def _summary(reports: list[LoadReport], loops: dict[str, list[float]]) -> dict[str, Any]:
    rates = [r.requests_per_s for r in reports]
    return {
        "requests_per_s": [round(rate) for rate in rates],
        "share_of_plain_loop": {
            name: round(statistics.median(rate / loop for rate, loop in zip(rates, loops[name], strict=True)), 3)
            for name in loops
        },
        "latency_ms_p50": statistics.median(r.latency_ms_p50 for r in reports),
        "latency_ms_p99": statistics.median(r.latency_ms_p99 for r in reports),
        "errors": sum(r.errors for r in reports),
    }


def _load(server: Server, requests: list[bytes], clients: int, seconds: float) -> LoadReport:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load(server.url, requests, clients, seconds))


def _plain(*arguments: str | Path) -> bytes:
    command = [sys.executable, "-m", "benchmarks.plain_loop", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


async def _snapshot(server: Server, image: Path) -> dict[str, float]:
    """Copy the collection to `image`; gives what the engine says of its last build."""
    engine = EdgeEngine(FolderLayout(server.folder).engine_socket)
    await engine.connect()
    try:
        await engine.snapshot(COLLECTION, image)
        return (await engine.stats())["collections"][COLLECTION]["last_build"]
    finally:
        await engine.close()


def _found(server: Server, queries: Floats) -> list[list[int]]:
    with httpx.Client(base_url=server.url) as http:
        return [
            [hit["id"] for hit in http.post(SEARCH, json=_body(vector.tolist())).json()["results"]]
            for vector in queries
        ]


def _body(vector: list[float] | bytes) -> dict[str, object]:
    return {"collection": COLLECTION, "query_vector": vector, "limit": LIMIT}


def _json(queries: Floats) -> list[bytes]:
    return [post(SEARCH, json.dumps(_body(v.tolist())).encode(), "application/json") for v in queries]


def _msgpack(queries: Floats) -> list[bytes]:
    return [post(SEARCH, msgspec.msgpack.encode(_body(v.tobytes())), "application/msgpack") for v in queries]


def _raw(queries: Floats) -> list[bytes]:
    path = f"{SEARCH}?collection={COLLECTION}&limit={LIMIT}"
    return [post(path, v.tobytes(), "application/octet-stream") for v in queries]
