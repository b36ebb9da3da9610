"""What access control costs a search, and what a flood of wrong keys costs a client with a good one.

Two servers with the same vectors, one with access control and one without, are asked in turns within one run.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.plain_loop import LIMIT
from benchmarks.server import running_server
from benchmarks.vectors import DIMENSION, Floats, make
from vectis.access.keys import make_key
from vectis.entrypoints.cli.trials.load import LoadReport, load, post, with_credential

COLLECTION = "bench"
SEARCH = "/api/v1/vectors/search"
CLIENTS = 16
FLOOD_CLIENTS = 32
RATES = (1_000, 10_000)


def measure(points: int, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Search with and without access control, then a few good clients beside floods of wrong keys."""
    vectors, queries = make(points, part=0), make(500, part=1)
    with tempfile.TemporaryDirectory(prefix="vectis-bench-") as temporary:
        folder = Path(temporary) / "data"
        key = _vectis("init", "--data-dir", str(folder))["admin_key"]
        with running_server() as without, running_server(folder=folder) as guarded:
            guarded.http.headers["x-api-key"] = key
            for server in (without, guarded):
                server.create(COLLECTION, DIMENSION)
                server.upload(COLLECTION, vectors)
                server.optimize(COLLECTION)
            requests = {
                "without": (without.url, _requests(queries, "")),
                "with": (guarded.url, _requests(queries, key)),
            }
            runs: dict[str, list[LoadReport]] = {name: [] for name in requests}
            for turn in range(rounds):
                for name in sorted(requests, reverse=turn % 2 == 1):
                    url, bodies = requests[name]
                    runs[name].append(_load(url, bodies, CLIENTS, seconds))
            return {
                "points": points,
                "search": _compared(runs),
                "floods": _floods(guarded.url, requests["with"][1], rounds=rounds, seconds=seconds),
            }


def _compared(runs: dict[str, list[LoadReport]]) -> dict[str, Any]:
    pairs = list(zip(runs["with"], runs["without"], strict=True))
    shares = [guarded.requests_per_s / free.requests_per_s for guarded, free in pairs]
    return {
        "clients": CLIENTS,
        "requests_per_s": {name: [round(r.requests_per_s) for r in reports] for name, reports in runs.items()},
        "errors": sum(r.errors for reports in runs.values() for r in reports),
        "with_as_share_of_without": [round(share, 3) for share in shares],
        "median_share": round(statistics.median(shares), 3),
    }


def _floods(url: str, good: list[bytes], *, rounds: int, seconds: float) -> dict[str, Any]:
    """p99 of four good clients alone, and beside floods of each kind and rate, in turns; a flood may not reach its rate.

    Harmless requests of the same rate show what of the slowing is the machine's, which the flood's own process shares.
    """
    alone: list[float] = []
    beside: dict[str, list[float]] = {f"{kind}_{rate}": [] for kind in FLOODS for rate in RATES}
    answered: dict[str, list[dict[str, float]]] = {name: [] for name in beside}
    for _ in range(rounds):
        alone.append(_load(url, good, 4, seconds).latency_ms_p99)
        for kind in FLOODS:
            for rate in RATES:
                command = [sys.executable, "-m", "benchmarks.access", kind, url, str(rate), str(seconds + 1)]
                with subprocess.Popen(command, stdout=subprocess.PIPE) as flood:
                    beside[f"{kind}_{rate}"].append(_load(url, good, 4, seconds).latency_ms_p99)
                    answer, _ = flood.communicate()
                answered[f"{kind}_{rate}"].append(json.loads(answer))
    return {
        "latency_ms_p99_alone": alone,
        "latency_ms_p99_beside": beside,
        "answered_per_s_by_status": answered,
        "median_ratio": {
            name: round(statistics.median(values) / statistics.median(alone), 2) for name, values in beside.items()
        },
    }


async def _flood(kind: str, url: str, rate: float, seconds: float) -> dict[str, float]:
    """Send requests of a kind, at most `rate` a second over FLOOD_CLIENTS connections; answers a second by status."""
    where = urlsplit(url)
    end, began, sent = perf_counter() + seconds, perf_counter(), 0
    answers: Counter[str] = Counter()

    async def one() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while perf_counter() < end:
                ahead_s = sent / rate - (perf_counter() - began)
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)  # the pace itself is wanted
                sent += 1
                writer.write(FLOODS[kind]())
                headers = await reader.readuntil(b"\r\n\r\n")
                length = headers.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
                await reader.readexactly(int(length))
                answers[headers[9:12].decode()] += 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(FLOOD_CLIENTS)))
    lasted_s = perf_counter() - began
    return {status: round(count / lasted_s, 1) for status, count in answers.items()}


def _wrong_key() -> bytes:
    """A well-formed key that nobody has, another each time."""
    return f"GET /api/v1/collections HTTP/1.1\r\nhost: x\r\nx-api-key: {make_key('live')[1]}\r\n\r\n".encode()


FLOODS = {"wrong_keys": _wrong_key, "health": lambda: b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"}


def _requests(queries: Floats, key: str) -> list[bytes]:
    bodies = [
        json.dumps({"collection": COLLECTION, "query_vector": v.tolist(), "limit": LIMIT}).encode() for v in queries
    ]
    return [with_credential(post(SEARCH, body, "application/json"), key) for body in bodies]


def _load(url: str, requests: list[bytes], clients: int, seconds: float) -> LoadReport:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(load(url, requests, clients, seconds))


def _vectis(*words: str) -> Any:
    run = subprocess.run([sys.executable, "-m", "vectis", *words, "--json"], check=True, capture_output=True)
    return json.loads(run.stdout)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as main:
        print(json.dumps(main.run(_flood(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))))
