"""What an alias costs a search: while nothing is rolled out, and during a canary that shares its queries and measures each.

One server, asked in turns within one run, by clients that name collections themselves and by clients that name an alias. Shares
of throughput move with whatever else the machine does. So one client also asks each query by all these names within a moment: by
how much longer an alias takes, held against the processor time that all processes of the server need for a query, is its share.
"""

import asyncio
import json
import socket
import statistics
from collections.abc import Sequence
from math import sqrt
from random import Random
from time import monotonic, perf_counter, sleep
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import uvloop

from benchmarks.plain_loop import LIMIT
from benchmarks.server import Server, running_server
from benchmarks.vectors import DIMENSION, Floats, make
from vectis.entrypoints.cli.trials.load import LoadReport, length_of, load, post

SEARCH = "/api/v1/vectors/search"
CLIENTS = 16
STABLE, CANDIDATE = "bench_1", "bench_2"
RESTING, ROLLED = "resting", "rolled"
WAIT_S = 120.0
TIMES_EACH = 20
"""How often the one client asks each query by each name."""

LONG_S = 86_400.0

ASKED: dict[str, Sequence[str]] = {
    "collection": (STABLE,),
    "alias at rest": (RESTING,),
    "both collections": (STABLE, CANDIDATE),
    "canary": (ROLLED,),
}
"""The names that a turn asks for, one after the other. A canary asks two collections, and so does what it is held against."""

RATIOS = {"alias_at_rest": ("alias at rest", "collection"), "canary": ("canary", "both collections")}


class _Turn(NamedTuple):
    """What clients saw, and the milliseconds of processor time that each query took."""

    load: LoadReport
    cpu_ms: float


def measure(points: int, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Two collections of the same vectors, two aliases, a canary of half the traffic on one of them."""
    vectors, queries = make(points, part=0), make(500, part=1)
    with running_server() as server:
        for name in (STABLE, CANDIDATE):
            server.create(name, DIMENSION)
            server.upload(name, vectors)
            server.optimize(name)
        for alias in (RESTING, ROLLED):
            server.http.put(f"/api/v1/aliases/{alias}", json={"collection": STABLE}).raise_for_status()
        rollout = _begin(server)
        requests = {turn: _requests(queries, names) for turn, names in ASKED.items()}
        runs: dict[str, list[_Turn]] = {turn: [] for turn in requests}
        for number in range(rounds):
            for turn in sorted(requests, reverse=number % 2 == 1):
                runs[turn].append(_load(server, requests[turn], seconds))
        took_us = _one_by_one(server.url, requests)
        cpu_us = 1000 * statistics.median(turn.cpu_ms for turn in runs["collection"])
        return {
            "points": points,
            "clients": CLIENTS,
            "requests_per_s": {turn: [round(r.load.requests_per_s) for r in reports] for turn, reports in runs.items()},
            "cpu_ms_per_query": {turn: [round(r.cpu_ms, 4) for r in reports] for turn, reports in runs.items()},
            "latency_ms_p99": {turn: [r.load.latency_ms_p99 for r in reports] for turn, reports in runs.items()},
            "errors": sum(r.load.errors for reports in runs.values() for r in reports),
            "ratios": {
                name: {**_compared(runs[of], runs[to]), **_held_against(took_us[of], took_us[to], cpu_us)}
                for name, (of, to) in RATIOS.items()
            },
            "measured_by_the_canary": _measured(server, rollout),
        }


def _begin(server: Server) -> str:
    """The id of a canary in its first stage, in which it stays."""
    stage = {"weight_percent": 50, "duration_s": LONG_S, "duration_max_s": LONG_S}
    spec = {
        "alias": ROLLED,
        "change": "search_config",
        "strategy": "canary",
        "candidate": CANDIDATE,
        "stages": [stage],
        "metrics": [{"name": "error_rate", "margin": 0.5, "tolerance": 0.9}],
    }
    answer = server.http.post("/api/v1/rollouts", json=spec).raise_for_status()
    rollout: str = answer.json()["id"]
    deadline = monotonic() + WAIT_S
    while (seen := server.http.get(f"/api/v1/rollouts/{rollout}").json())["since"] is None or seen["step"] != "stage":
        if monotonic() > deadline:
            raise SystemExit(f"the canary is not in its stage: {seen}")
        sleep(0.1)  # another process moves it on
    return rollout


def _measured(server: Server, rollout: str) -> dict[str, Any]:
    """What the last look of the reconciler saw: that the canary's queries were really measured and judged."""
    explained = server.http.get(f"/api/v1/rollouts/{rollout}/explain").raise_for_status().json()
    judgement = explained["judgements"][-1]["judgement"]
    return {metric["name"]: metric["samples"] for metric in (*judgement["metrics"], judgement["split"])}


def _compared(turns: list[_Turn], held_against: list[_Turn]) -> dict[str, Any]:
    shares = [
        one.load.requests_per_s / other.load.requests_per_s for one, other in zip(turns, held_against, strict=True)
    ]
    return {
        "share_of_throughput": [round(share, 3) for share in shares],
        "median_share": round(statistics.median(shares), 3),
    }


def _held_against(took_us: list[float], others_us: list[float], cpu_us: float) -> dict[str, Any]:
    """The median of what the same query took longer, its 95 % interval by order statistics, and what is left of the server."""
    longer = sorted(one - other for one, other in zip(took_us, others_us, strict=True))
    middle, off = len(longer) // 2, round(0.98 * sqrt(len(longer)))
    extra = longer[middle]
    return {
        "longer_us": round(extra, 1),
        "longer_us_interval": [round(longer[middle - off], 1), round(longer[middle + off], 1)],
        "of_cpu_us": round(cpu_us),
        "share_of_server": round(cpu_us / (cpu_us + extra), 3),
    }


def _one_by_one(url: str, requests: dict[str, list[bytes]]) -> dict[str, list[float]]:
    """Microseconds of each query, in the same order for all names: they take turns in an order that differs each time."""
    took: dict[str, list[float]] = {turn: [] for turn in requests}
    order, turns = Random(0), list(requests)
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection, connection.makefile("rb") as answers:
        for number in range(TIMES_EACH * len(requests["collection"])):
            for turn in order.sample(turns, len(turns)):
                asked = requests[turn]
                began = perf_counter()
                connection.sendall(asked[number % len(asked)])
                _read_answer(answers)
                took[turn].append(1e6 * (perf_counter() - began))
    return took


def _read_answer(answers: BinaryIO) -> None:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += answers.readline()
    assert b" 200 " in head[:16], head
    answers.read(length_of(head))


def _requests(queries: Floats, names: Sequence[str]) -> list[bytes]:
    bodies = [
        {"collection": names[number % len(names)], "query_vector": vector.tolist(), "limit": LIMIT}
        for number, vector in enumerate(queries)
    ]
    return [post(SEARCH, json.dumps(body).encode(), "application/json") for body in bodies]


def _load(server: Server, requests: list[bytes], seconds: float) -> _Turn:
    began_s = server.cpu_s()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(load(server.url, requests, CLIENTS, seconds))
    return _Turn(report, (server.cpu_s() - began_s) * 1000 / report.answers)
