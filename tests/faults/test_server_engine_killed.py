"""The engine process killed under load: requests wait or are told when to come back, none hangs, nothing acknowledged is lost."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from time import monotonic
from typing import NamedTuple

import httpx
import msgspec
import numpy as np
import pytest
from serving import RunningServer, StartServer, until

POINTS = 50_000
SIZE = 384
CLIENTS = 16
KILLS = 3
BETWEEN_S = 5.0
CLIENT_TIMEOUT_S = 30.0
RECOVERY_S = 10.0
"""Generous for a busy machine; what it took is printed."""

MSGPACK = {"content-type": "application/msgpack", "accept": "application/msgpack"}
BASE = "/api/v1/collections/load"


class Exchange(NamedTuple):
    """One request: when it began and ended, and how it was answered."""

    began: float
    ended: float
    status: int


class Load:
    """Clients that search without a pause, and one that writes; everything they were told."""

    def __init__(self, server: RunningServer) -> None:
        self.searches: list[Exchange] = []
        self.writes: list[Exchange] = []
        self.acknowledged: dict[int, int] = {}
        self.over = False
        self._url = server.url

    async def search(self, number: int) -> None:
        random = Random(number)
        async with httpx.AsyncClient(base_url=self._url, timeout=CLIENT_TIMEOUT_S) as http:
            while not self.over:
                vector = vector_of(random.randrange(10**6))
                body = msgspec.msgpack.encode({"collection": "load", "query_vector": vector, "limit": 5})
                began = monotonic()
                answer = await http.post("/api/v1/vectors/search", content=body, headers=MSGPACK)
                self.searches.append(Exchange(began, monotonic(), answer.status_code))
                if answer.status_code == 200:
                    assert len(msgspec.msgpack.decode(answer.content)["results"]) == 5
                else:
                    await stay_away(answer)

    async def write(self) -> None:
        """New points, and new revisions of old ones."""
        random, revision = Random("writer"), 0
        async with httpx.AsyncClient(base_url=self._url, timeout=CLIENT_TIMEOUT_S) as http:
            while not self.over:
                revision += 1
                ids = [random.randrange(2 * POINTS) for _ in range(20)]
                began = monotonic()
                answer = await put(http, dict.fromkeys(ids, revision))
                self.writes.append(Exchange(began, monotonic(), answer.status_code))
                if answer.status_code == 200:
                    self.acknowledged |= dict.fromkeys(ids, revision)
                else:
                    await stay_away(answer)

    def recovered_s(self, killed_at: float) -> tuple[float, float]:
        """From a kill to the first good answer of a search, and of a write, that began after it."""
        first = [
            min(e.ended for e in exchanges if e.began > killed_at and e.status == 200)
            for exchanges in (self.searches, self.writes)
        ]
        return first[0] - killed_at, first[1] - killed_at


def vector_of(seed: int) -> bytes:
    return np.random.default_rng(seed).standard_normal(SIZE, dtype=np.float32).tobytes()


async def put(http: httpx.AsyncClient, revisions: dict[int, int]) -> httpx.Response:
    points = [
        {"id": number, "vector": {"dense": vector_of(number)}, "payload": {"revision": revision}}
        for number, revision in revisions.items()
    ]
    return await http.put(f"{BASE}/points", content=msgspec.msgpack.encode({"points": points}), headers=MSGPACK)


async def stay_away(answer: httpx.Response) -> None:
    """The only other answer: not now, and when again."""
    problem = msgspec.json.decode(answer.content)
    assert (answer.status_code, problem["code"]) == (503, "engine_unavailable"), problem
    assert int(answer.headers["retry-after"]) >= 1
    await asyncio.sleep(0.2)


async def test_the_engine_is_killed_under_load(
    start_server: StartServer, short_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_server(short_folder / "data", VECTIS_EMBEDDER__KIND="none")
    made = server.http.post(
        "/api/v1/collections", json={"name": "load", "vectors": {"dense": {"size": SIZE, "distance": "Cosine"}}}
    )
    assert made.status_code == 201, made.text
    load = Load(server)
    async with httpx.AsyncClient(base_url=server.url, timeout=CLIENT_TIMEOUT_S) as http:
        for start in range(0, POINTS, 1000):
            revisions = dict.fromkeys(range(start, start + 1000), 0)
            assert (await put(http, revisions)).status_code == 200
            load.acknowledged |= revisions

    kills: list[float] = []
    async with asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(load.search(number))
        clients.create_task(load.write())
        for number in range(KILLS):
            await asyncio.sleep(BETWEEN_S + number / 3)
            (await asyncio.to_thread(until, lambda: server.processes().get("engine"), 10, "an engine to kill")).kill()
            kills.append(monotonic())
        await asyncio.sleep(BETWEEN_S + RECOVERY_S / 2)
        load.over = True

    recoveries = [load.recovered_s(at) for at in kills]
    slowest = max(e.ended - e.began for e in load.searches)
    with capsys.disabled():
        answers = Counter(e.status for e in load.searches + load.writes)
        print(f"\n{POINTS} points, {KILLS} kills, {CLIENTS} clients and a writer: answers {dict(answers)}")
        print("  answers go on after " + ", ".join(f"{s:.2f} s (writes {w:.2f} s)" for s, w in recoveries), end="; ")
        print(f"slowest search {slowest:.2f} s")
    assert all(max(pair) < RECOVERY_S for pair in recoveries)
    check_all_there(server, load.acknowledged)
    assert server.stop() == 0


def check_all_there(server: RunningServer, acknowledged: dict[int, int]) -> None:
    """Each acknowledged point in its last revision; a revision that was sent and not acknowledged may have come through."""
    count = server.http.post(f"{BASE}/points/count", json={}).json()["count"]
    assert count >= len(acknowledged)
    ids = sorted(acknowledged)
    for at in range(0, len(ids), 1000):
        asked = ids[at : at + 1000]
        found = server.http.post(f"{BASE}/points/get", json={"ids": asked}).json()["points"]
        revisions = {point["id"]: point["payload"]["revision"] for point in found}
        lost = [i for i in asked if revisions.get(i, -1) < acknowledged[i]]
        assert not lost, f"{len(lost)} acknowledged points are lost: {lost[:10]}"
