"""Load on a server with two API processes while what they share answers through is killed, stopped, and replaced by a babbler."""

import asyncio
import re
import signal
from time import monotonic
from typing import NamedTuple

import httpx
import msgspec
from serving import RunningServer, StartServer
from valkey_process import Valkey, babbling

CLIENTS = 8
QUESTIONS = 12
WRITE_EVERY_S = 0.5
BACK_S = 20.0
"""Generous for a busy machine; what it took is noted."""


class Phase(NamedTuple):
    """How a stretch of the load went: seconds of each answer by when it was asked, and when hits were seen again."""

    name: str
    began: float
    ended: float
    back_s: float


class Chaos(msgspec.Struct):
    """What the clients saw."""

    answers: list[tuple[float, float]] = []
    failed: list[str] = []
    phases: list[Phase] = []

    def p99_ms(self, began: float, ended: float) -> float:
        """Of the answers to questions asked in between."""
        took = sorted(took for asked, took in self.answers if began <= asked < ended)
        return took[int(len(took) * 0.99)] * 1000 if took else float("nan")


def counted(server: RunningServer, counter: str) -> float:
    """A counter, over all processes."""
    text = server.http.get("/metrics").text
    return sum(float(value) for value in re.findall(rf"^{counter}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def pair_sharing(valkey: Valkey, start_server: StartServer) -> RunningServer:
    """A server with two API processes that share their answers through this Valkey."""
    return start_server(
        None,
        "--workers",
        "2",
        VECTIS_EMBEDDER__KIND="none",
        REDIS_URL=valkey.url,
        VECTIS_CACHE__WRITE_AFTER_S="0.1",
        VECTIS_LIMITS__VECTOR_API_REQUESTS="100000",
        VECTIS_LIMITS__VECTOR_API_BURST="100000",
    )


async def run(server: RunningServer, valkey: Valkey, *, fault_s: float) -> Chaos:
    """Each fault for `fault_s`, with the load going on; between them until hits come from the tier again."""
    seen, over = Chaos(), asyncio.Event()

    async def ask(number: int) -> None:
        each_anew = httpx.Limits(
            max_keepalive_connections=0
        )  # so that each process is asked, not the one that was first
        async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=each_anew) as http:
            while not over.is_set():
                number = (number + 1) % QUESTIONS
                body = {"collection": "load", "query_vector": [1.0, number / QUESTIONS], "limit": 3}
                began = monotonic()
                answer = await http.post("/api/v1/vectors/search", json=body)
                seen.answers.append((began, monotonic() - began))
                if answer.status_code != 200:
                    seen.failed.append(answer.text)

    async def write() -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            while not over.is_set():
                points = [
                    {"id": i, "vector": {"dense": [1.0, i / 50]}, "payload": {"text": "word " * 300}} for i in range(50)
                ]
                answer = await http.put("/api/v1/collections/load/points", json={"points": points})
                if answer.status_code != 200:
                    seen.failed.append(answer.text)
                await asyncio.sleep(WRITE_EVERY_S)  # the pace of the writes

    async def faults() -> None:
        await _hits_again(server)
        for name in ("killed", "stopped", "babbling"):
            began = monotonic()
            await _fault(name, valkey, fault_s)
            ended = monotonic()
            await _hits_again(server)
            seen.phases.append(Phase(name, began, ended, monotonic() - ended))
        over.set()

    made = {"name": "load", "vectors": {"dense": {"size": 2, "distance": "Cosine"}}}
    server.http.post("/api/v1/collections", json=made).raise_for_status()
    await asyncio.gather(*(ask(number) for number in range(CLIENTS)), write(), faults())
    return seen


async def _fault(name: str, valkey: Valkey, seconds: float) -> None:
    if name == "stopped":
        valkey.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)  # the length of the fault
        valkey.process.send_signal(signal.SIGCONT)
        return
    valkey.kill()
    if name == "killed":
        await asyncio.sleep(seconds)  # the length of the fault
    else:
        valkey.socket.unlink()
        async with babbling(valkey.socket):
            await asyncio.sleep(seconds)  # the length of the fault
        valkey.socket.unlink(missing_ok=True)
    await asyncio.to_thread(valkey.start)


async def _hits_again(server: RunningServer) -> None:
    before = await asyncio.to_thread(counted, server, "vectis_answer_tier_hits_total")
    async with asyncio.timeout(BACK_S):
        while await asyncio.to_thread(counted, server, "vectis_answer_tier_hits_total") <= before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)  # a counter tells nobody that it changed
