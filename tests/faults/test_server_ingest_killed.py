"""SIGKILL at random moments of an ingest: what was acknowledged is there, once and whole, and the server starts by itself.

FAULTS_ROUNDS and FAULTS_SEED choose how many kills and which; a failure says both, and when each kill came.
"""

import os
import secrets
import subprocess
import threading
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median
from time import monotonic
from typing import Any

import httpx
import pytest
from serving import ENVIRONMENT, SERVE, RunningServer, StartServer, kill_family, until

ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "50"))
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
VICTIMS = ("everything", "worker", "supervisor", "engine", "a server that starts", "api-1")
RESTARTED = ("everything", "supervisor", "a server that starts")
AGAIN_SHARE = 0.2
COLLECTION = "/api/v1/collections/docs"
WRITERS = 2
IDS_A_WRITER = 40
SETTLE_S = 60.0
CLIENT_TIMEOUT_S = 30.0
TOPICS = ("valves", "pumps", "boilers", "gauges", "pipes", "seals", "filters", "motors")

Acknowledged = dict[str, str | None]
"""What a writer was told is kept, by document id; None: deleted."""


def text(random: Random) -> str:
    """Some sections with words of their own: each a chunk, and some the same as before, so that chunks come, go and stay."""
    sections = [
        f"## About {topic}\n\nThe {topic} number {random.randrange(3)} are checked each morning, and whoever finds them leaking "
        f"writes it down and closes the main tap.\n\nSpare {topic} lie on shelf {random.randrange(3)} behind the door."
        for topic in random.sample(TOPICS, random.randrange(1, 5))
    ]
    return "# Handbook\n\n" + "\n\n".join(sections)


class Writer(threading.Thread):
    """A client that sends, changes and deletes its documents one request after another, each until it is acknowledged."""

    def __init__(self, number: int, rig: "Rig") -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.acknowledged: Acknowledged = {}
        self.answers: Counter[int] = Counter()
        self.strange: list[str] = []
        self.rests = threading.Event()
        self._ids = [f"writer-{number}/page-{n}.md" for n in range(IDS_A_WRITER)]
        self._random = Random(f"{SEED}/{number}")
        self._http = httpx.Client(timeout=CLIENT_TIMEOUT_S)
        self._rig = rig

    def run(self) -> None:
        while not self._rig.over:
            if not self._rig.may_write.is_set():
                self.rests.set()
                self._rig.may_write.wait()
                self.rests.clear()
            if self._random.random() < 0.2 and self.acknowledged:
                ids = self._random.sample(sorted(self.acknowledged), 1)
                self._send("/documents/delete", {"ids": ids}, dict.fromkeys(ids))
            else:
                new = {i: text(self._random) for i in self._random.sample(self._ids, self._random.randrange(1, 5))}
                documents = [{"id": i, "text": content} for i, content in new.items()]
                self._send("/documents", {"documents": documents}, new)

    def _send(self, path: str, body: dict[str, Any], meaning: Acknowledged) -> None:
        """Repeat the request until it is answered well: a request that broke may or may not have been carried out."""
        while not self._rig.over:
            try:
                answer = self._http.post(self._rig.server.url + COLLECTION + path, json=body)
            except httpx.TimeoutException as error:
                self.strange.append(f"no answer in {CLIENT_TIMEOUT_S:g} s: {error!r}")
                continue
            except httpx.TransportError:
                self._rig.pause.wait(0.05)
                continue
            self.answers[answer.status_code] += 1
            if answer.status_code in (200, 202):
                self.acknowledged.update(meaning)
                self._rig.writes += 1
                return
            if answer.status_code != 503:
                self.strange.append(f"{answer.status_code} {answer.text[:500]}")
            self._rig.pause.wait(0.05)


class Rig:
    """The server of now, its writers, and what became of each round."""

    def __init__(self, start_server: StartServer, folder: Path) -> None:
        self._start = start_server
        self._folder = folder
        self.server: RunningServer = start_server(folder)
        self.over = False
        self.pause = threading.Event()
        self.may_write = threading.Event()
        self.writes = 0
        self.kills: list[str] = []
        self.recovered_s: dict[str, list[float]] = {victim: [] for victim in VICTIMS}
        self.writers = [Writer(number, self) for number in range(WRITERS)]

    def kill(self, victim: str, random: Random) -> float:
        """SIGKILL; gives when. A server whose supervisor was killed is started again on the same folder at once."""
        if victim == "supervisor":
            self.server.kill()
        elif victim in RESTARTED:
            self.server.kill_all()
        else:
            until(lambda: self.server.processes().get(victim), 30, f"{victim} is there to be killed").kill()
        if victim == "a server that starts":
            self._kill_at_start(random.uniform(0.2, 3.0))
        at = monotonic()
        if victim in RESTARTED:
            self.server = self._start(self._folder)
        return at

    def _kill_at_start(self, after_s: float) -> None:
        self.kills.append(f"{after_s:.3f} s after its start")
        starting = subprocess.Popen(
            [*SERVE, "--data-dir", str(self._folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT,
        )  # fmt: skip
        self.pause.wait(after_s)
        kill_family(starting)
        starting.wait()

    @property
    def acknowledged(self) -> Acknowledged:
        """Of all writers."""
        return {key: value for writer in self.writers for key, value in writer.acknowledged.items()}


def documents(http: httpx.Client) -> dict[str, dict[str, Any]]:
    answer = http.get(f"{COLLECTION}/documents", params={"limit": 1000})
    assert answer.status_code == 200, answer.text
    assert answer.json()["next_offset"] is None
    return {line["id"]: line for line in answer.json()["documents"]}


def points(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    offset: Any = None
    while True:
        body = {"limit": 1000, "offset": offset, "with_vectors": ["dense"]}
        answer = http.post(f"{COLLECTION}/points/scroll", json=body)
        assert answer.status_code == 200, answer.text
        found += answer.json()["points"]
        offset = answer.json()["next_offset"]
        if offset is None:
            return found


def settled(http: httpx.Client) -> bool | None:
    """Whether nothing waits any more: every job ended, every document as sent. A server that starts again is asked again."""
    try:
        jobs = http.get("/api/v1/jobs", params={"limit": 100}).json()["jobs"]
        lines = documents(http).values()
    except httpx.TransportError:
        return None
    assert not [job for job in jobs if job["state"] == "dead"], jobs
    waiting = [job for job in jobs if job["state"] != "done"] + [line for line in lines if not line["current"]]
    return None if waiting else True


def sentences(text: str) -> set[str]:
    """Its sentences: `text` writes each on a line of its own."""
    return {line for line in text.splitlines() if line.endswith(".")}


def check(http: httpx.Client, acknowledged: Acknowledged) -> None:
    """Every acknowledged document in its last acknowledged content; every chunk once, and none of anything else."""
    lines = documents(http)
    kept = {key for key, content in acknowledged.items() if content is not None}
    assert lines.keys() == kept
    for key in kept:
        assert http.get(f"{COLLECTION}/documents/{key}").json()["document"]["text"] == acknowledged[key]
    chunks = points(http)
    places = Counter((point["payload"]["document_id"], point["payload"]["ordinal"]) for point in chunks)
    assert [place for place, count in places.items() if count > 1] == [], "chunks there twice"
    assert {document for document, _ in places} == kept, "chunks without a document, or the other way round"
    per_document = Counter(document for document, _ in places)
    assert dict(per_document) == {key: lines[key]["chunks"] for key in kept}
    said: dict[str, set[str]] = {key: set() for key in kept}
    for point in chunks:
        said[point["payload"]["document_id"]] |= sentences(point["payload"]["text"])
        assert len(point["vector"]["dense"]) == 384
    assert said == {key: sentences(acknowledged[key] or "") for key in kept}


def test_killed_at_random_points_of_an_ingest(
    start_server: StartServer, short_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig(start_server, short_folder / "data")
    made = rig.server.http.post(
        "/api/v1/collections",
        json={
            "name": "docs",
            "chunking": {"target": 40, "overlap": 0},
            "optimizers": {"indexing_threshold": 32, "flush_interval_sec": 1},
        },
    )
    assert made.status_code == 201, made.text
    random = Random(SEED)
    for writer in rig.writers:
        writer.start()
    try:
        for number in range(ROUNDS):
            round_(rig, VICTIMS[number % len(VICTIMS)], random)
    except BaseException:
        with capsys.disabled():
            print(f"\nFAULTS_SEED={SEED}; kills: " + "; ".join(rig.kills))
        raise
    finally:
        rig.over = True
        rig.may_write.set()
    answers = sum((writer.answers for writer in rig.writers), Counter[int]())
    assert rig.server.stop() == 0
    with capsys.disabled():
        print(
            f"\n{ROUNDS} kills (seed {SEED}), {rig.writes} acknowledged writes, answers {dict(answers)}, nothing lost"
        )
        for victim, times in rig.recovered_s.items():
            if times:
                print(f"  {victim}: next write acknowledged after {median(times):.2f} s, at most {max(times):.2f} s")


def round_(rig: Rig, victim: str, random: Random) -> None:
    """Let the writers write, kill, let them write on, then hold them and look at everything."""
    before = rig.writes
    rig.may_write.set()
    until(lambda: rig.writes > before + 2 or None, SETTLE_S, "the writers write")
    delay_s = random.uniform(0, 1.0)
    rig.pause.wait(delay_s)
    rig.kills.append(f"{victim} {delay_s:.3f} s after {rig.writes} writes")
    at = rig.kill(victim, random)
    if random.random() < AGAIN_SHARE:
        second = random.choice(("worker", "engine", "api-1"))
        rig.kills.append(f"{second} at once after that")
        at = rig.kill(second, random)
    seen = rig.writes
    until(lambda: rig.writes > seen or None, SETTLE_S, f"writes go on after {victim} was killed")
    rig.recovered_s[victim].append(monotonic() - at)
    rig.may_write.clear()
    for writer in rig.writers:
        assert writer.rests.wait(SETTLE_S), "a request is not answered"
    until(lambda: settled(rig.server.http), SETTLE_S, f"everything is indexed after {victim} was killed")
    assert [line for writer in rig.writers for line in writer.strange] == []
    check(rig.server.http, rig.acknowledged)
