"""Rollouts under queries, promoted and taken back, by hand and by themselves, with a process killed at every boundary of their
steps: no query fails, no answer comes from a removed collection, what the alias leads to is linearizable, every rollout ends as
its history implies, and no acknowledged write is lost.

FAULTS_ROLLOUTS says how many (7, one of each kind), FAULTS_CLIENTS how many clients ask (4), FAULTS_SEED chooses the moments.
What happened how often is printed: `pytest -s`.
"""

import json
import math
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from datetime import datetime
from itertools import cycle, pairwise, zip_longest
from pathlib import Path
from random import Random
from time import sleep, time
from typing import Any, NamedTuple

import httpx
import pytest
import query_clients
from linearizable import Access, violations
from query_clients import ALIAS, CUT, DIMENSION, Asked, vector
from serving import RunningServer, StartServer, until

from vectis.runtime.paths import FolderLayout

pytestmark = pytest.mark.faults

ROLLOUTS = int(os.environ.get("FAULTS_ROLLOUTS") or 7)
CLIENTS = int(os.environ.get("FAULTS_CLIENTS") or 4)
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
WITHIN_S = 600.0
POINTS = 300
KILL_AFTER_MAX_S = 0.3
V1 = "/api/v1"

LENIENT = [
    {"name": "error_rate", "margin": 0.1, "tolerance": 0.3},
    {"name": "empty_rate", "margin": 0.1, "tolerance": 0.3},
]
SHARES = [{"weight_percent": 25, "duration_s": 600}, {"weight_percent": 75, "duration_s": 600}]
HALF = [{"weight_percent": 50, "duration_s": 1}]
SHARED = [{"weight_percent": 60, "duration_s": 1}]
MIRRORED = [{"weight_percent": 0, "mirror_percent": 100, "duration_s": 1}]
CHURN = [{"name": "churn", "margin": 0.4, "tolerance": 0.5}]


class Kind(NamedTuple):
    """A rollout of a kind: its spec, what is done to it at which step, and how it must end."""

    spec: dict[str, Any]
    verbs: dict[str, str]
    promoted: bool
    unlike: bool = False
    variants: int = 0

    @property
    def phase(self) -> str:
        return "healthy" if self.promoted or self.variants else "aborted"


KINDS = {
    "promoted at once": Kind({"strategy": "blue_green", "watch_s": 1}, {}, promoted=True),
    "aborted by hand": Kind({"strategy": "canary", "stages": SHARES}, {"stage": "abort"}, promoted=False),
    "promoted by hand": Kind({"strategy": "canary", "stages": SHARES}, {"stage": "promote"}, promoted=True),
    "found good": Kind({"strategy": "canary", "stages": HALF, "metrics": LENIENT}, {}, promoted=True),
    "found bad": Kind({"strategy": "shadow", "stages": MIRRORED, "metrics": CHURN}, {}, promoted=False, unlike=True),
    "compared": Kind({"strategy": "experiment", "stages": SHARED, "metrics": LENIENT}, {}, promoted=False, variants=2),
    "undone": Kind({"strategy": "blue_green", "watch_s": 600}, {"watch": "undo"}, promoted=False),
}

STEPS = ("build", "validate", "stage", "switch", "watch", "grace", "retire", "done")


class Kill(NamedTuple):
    """A kill: of whom, when, and when another one was ready."""

    victim: str
    at: float
    ready: float


class Watcher:
    """Reads the route's version from the control store all the time: between which moments was each version written?"""

    def __init__(self, file: Path) -> None:
        self.writes: list[Access] = []
        self._file = file
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        store = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=60)
        known, absent = 0, time()
        while not self._stop.is_set():
            began = time()
            (version,) = store.execute("SELECT version FROM routes WHERE alias = ?", (ALIAS,)).fetchone()
            # what was written in between at once was written within the same moments
            self.writes += [Access(absent, time(), each) for each in range(known + 1, version + 1)]
            known, absent = version, began
            sleep(0.005)
        store.close()


class Drive:
    """The server that is killed, and what is asked of it; every call is repeated until it is answered."""

    def __init__(self, start_server: StartServer, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._words = ("--port", str(free.getsockname()[1]), "--workers", "2")
        self._start_server, self._folder = start_server, folder
        self.kills: list[Kill] = []
        self._random = Random(SEED)
        self._victims = cycle(["worker", "api-1", "worker", "api-2", "server"])
        self._http = httpx.Client(timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
        self._start()

    def _start(self) -> None:
        limits = {"VECTIS_TRAFFIC__SPARE_SHARE_PERCENT": "100", "VECTIS_TRAFFIC__SPARE_AT_WORK_MAX": "64"}
        self.server: RunningServer = self._start_server(
            self._folder, *self._words, VECTIS_EMBEDDER__KIND="none", **limits
        )

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        def answered() -> httpx.Response | None:
            try:
                return self._http.request(method, self.server.url + path, json=body)
            except httpx.TransportError:
                return None

        return until(answered, WITHIN_S, f"{method} {path} is answered")

    def get(self, path: str) -> Any:
        return self.call("GET", path).raise_for_status().json()

    def kill(self) -> None:
        """Kill the next victim within a moment, and wait until another one is ready."""
        sleep(self._random.uniform(0, KILL_AFTER_MAX_S))
        victim, began = next(self._victims), time()
        if victim == "server":
            self.server.kill_all()
            self._start()
        else:
            process = self.server.processes().get(victim)
            if process is None:
                return
            process.send_signal(signal.SIGKILL)
            until(
                lambda: ((p := self.server.processes().get(victim)) and p.pid != process.pid) or None, WITHIN_S, victim
            )
        self.kills.append(Kill(victim, began, time()))


def fill(drive: Drive, name: str, first_id: int) -> None:
    body = {"name": name, "vectors": {"dense": {"size": DIMENSION}}}
    drive.call("POST", f"{V1}/collections", body).raise_for_status()
    points = [point(id, 0) for id in range(first_id, first_id + POINTS)]
    drive.call("PUT", f"{V1}/collections/{name}/points", {"points": points}).raise_for_status()


def point(id: int, revision: int) -> dict[str, Any]:
    return {"id": id, "vector": vector(f"point {id}"), "payload": {"revision": revision}}


class Writer:
    """Writes ever higher revisions of two points through the alias; knows what was acknowledged."""

    def __init__(self, drive: Drive) -> None:
        self.acknowledged = {1: 0, 2: 0}
        self._drive = drive
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        revision = 0
        while not self._stop.wait(0.02):
            revision += 1
            for id in self.acknowledged:
                body = {"points": [point(id, revision)]}
                answer = self._drive.call("PUT", f"{V1}/collections/{ALIAS}/points", body)
                if answer.is_success:
                    self.acknowledged[id] = revision


def run(drive: Drive, number: int, kind: Kind) -> Any:
    """Begin a rollout, kill a process whenever it gets somewhere, do what is to be done; explained at its end."""
    spec = {"alias": ALIAS, "change": "index_config", "grace_s": 0, "watch_s": 0, **kind.spec}
    if kind.unlike:
        fill(drive, f"unlike_{number}", 10_000)
        spec["candidate"] = f"unlike_{number}"
    elif kind.variants:
        spec["variants"] = [{"build": {"hnsw": {"m": 8 + each}}} for each in range(kind.variants)]
    else:
        spec["build"] = {"hnsw": {"m": 8 + number % 8}}
    answer = drive.call("POST", f"{V1}/rollouts", spec)
    if answer.status_code == 409:  # the answer to the first attempt was cut
        id = drive.get(f"{V1}/rollouts?limit=1&alias={ALIAS}")["rollouts"][0]["id"]
    else:
        id = answer.raise_for_status().json()["id"]
    here: tuple[Any, ...] = ()
    done: set[tuple[str, int]] = set()

    def ended() -> Any:
        nonlocal here
        seen = drive.get(f"{V1}/rollouts/{id}")
        if here != (here := (seen["step"], seen["stage"], seen["since"] is None)):
            drive.kill()
        verb, place = kind.verbs.get(seen["step"]), (seen["step"], seen["stage"])
        if verb and seen["since"] and place not in done:
            answer = drive.call("POST", f"{V1}/rollouts/{id}/{verb}", {"reason": "as the test says"})
            assert answer.status_code in (200, 409), answer.text  # 409: it has moved on, which the next look shows
            done.update({place} if answer.is_success else ())
        return seen if seen["step"] == "done" else None

    try:
        until(ended, WITHIN_S, "the rollout is done")
    except AssertionError:
        pytest.fail(f"seed {SEED}: {drive.get(f'{V1}/rollouts/{id}/explain')}")
    return drive.get(f"{V1}/rollouts/{id}/explain")


class Story(NamedTuple):
    """All that happened."""

    drive: Drive
    ran: list[tuple[str, Any]]
    asked: list[Asked]
    writes: list[Access]
    acknowledged: dict[int, int]

    def answers(self) -> list[Asked]:
        return [each for each in self.asked if each.status != CUT]

    def figures(self) -> dict[str, Any]:
        """What happened how often."""
        return {
            "seed": SEED,
            "rollouts": Counter(name for name, _ in self.ran),
            "kills": Counter(kill.victim for kill in self.drive.kills),
            "queries": Counter("cut" if each.status == CUT else each.status for each in self.asked),
            "seconds": round(self.asked[-1].ended - self.asked[0].began),
            "versions": len({each.version for each in self.answers()}),
            "writes": sum(self.acknowledged.values()),
        }


@pytest.fixture(scope="module")
def story(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("rollouts")
    drive = Drive(start_server, folder / "data")
    fill(drive, f"{ALIAS}_1", 1)
    drive.call("PUT", f"{V1}/aliases/{ALIAS}", {"collection": f"{ALIAS}_1"}).raise_for_status()
    watcher = Watcher(FolderLayout(drive.server.folder).control)
    words = [sys.executable, query_clients.__file__, drive.server.url]
    clients = subprocess.Popen([*words, str(folder / "asked.csv"), str(CLIENTS)])
    writer = Writer(drive)
    try:
        kinds = cycle(KINDS.items())
        ran = [(name, run(drive, number, kind)) for number, (name, kind) in zip(range(ROLLOUTS), kinds, strict=False)]
    finally:
        writer.stop()
        watcher.stop()
        clients.send_signal(signal.SIGTERM)
        status = clients.wait(timeout=60)
    assert status == 0, "the clients ended in order"
    return Story(drive, ran, Asked.read(folder / "asked.csv"), watcher.writes, writer.acknowledged)


def stamp(transition: dict[str, Any]) -> float:
    return datetime.fromisoformat(transition["at"]).timestamp()


def last(explained: Any, *steps: str) -> float:
    """When the rollout came to one of these steps for the last time."""
    return max(stamp(each) for each in explained["transitions"] if each["step"] in steps)


def kept_and_removed(explained: Any) -> tuple[str, set[str]]:
    names = [explained["stable"], *(each["collection"] for each in explained["candidates"])]
    kept = names[1] if explained["promoted"] else names[0]
    return kept, {*names} - {kept}


def test_no_query_failed_but_those_cut_by_a_kill(story: Story) -> None:
    print(json.dumps(story.figures()))
    assert [each for each in story.answers() if each.status != 200 or each.results != 5][:5] == [], SEED
    cuts = [each for each in story.asked if each.status == CUT]
    cutting = [kill for kill in story.drive.kills if kill.victim != "worker"]
    unexplained = [
        cut for cut in cuts if not any(cut.began <= kill.ready and kill.at <= cut.ended for kill in cutting)
    ]  # fmt: skip
    assert unexplained == [], SEED
    # whoever is cut off by the end of a server may connect once more to what is left of it
    assert len(cuts) <= sum(CLIENTS * (2 if kill.victim == "server" else 1) for kill in cutting), SEED


def test_what_the_alias_leads_to_is_linearizable(story: Story) -> None:
    """A write is over when the reconciler noted what it did next, unless a kill came between."""
    noted = sorted(
        stamp(each) for _, explained in story.ran for each in explained["transitions"] if each["by"] == "reconciler"
    )
    kills = [kill for kill in story.drive.kills if kill.victim in ("worker", "server")]

    def over(write: Access) -> float:
        after = next((at for at in noted if at > write.ended), math.inf)
        killed = any(kill.at <= after and write.began <= kill.ready for kill in kills)
        return math.inf if killed else after

    writes = [write._replace(ended=over(write)) for write in story.writes]
    reads = [Access(each.began, each.ended, each.version) for each in story.answers()]
    assert violations(reads, writes) == [], SEED
    assert sum(write.ended < math.inf for write in writes) > len(story.ran), "most writes were seen to be over"


def test_no_answer_comes_from_a_removed_collection(story: Story) -> None:
    removed = {name: last(explained, "done") for _, explained in story.ran for name in kept_and_removed(explained)[1]}
    late = [each for each in story.answers() if each.began > removed.get(each.collection, math.inf)]
    assert late == [], SEED


def test_every_rollout_ends_as_its_history_implies(story: Story) -> None:
    serves = f"{ALIAS}_1"
    for (name, explained), (_, following) in zip_longest(story.ran, story.ran[1:], fillvalue=(None, None)):
        assert explained["stable"] == serves, (SEED, name)
        assert explained["promoted"] == KINDS[name].promoted, (SEED, name, explained["reason"])
        assert explained["phase"] == KINDS[name].phase, (SEED, name)
        transitions = explained["transitions"]
        assert [each["generation"] for each in transitions] == list(range(1, len(transitions) + 1))
        assert (
            all(STEPS.index(b["step"]) >= STEPS.index(a["step"]) for a, b in pairwise(transitions)) or name == "undone"
        )
        hands = {each["by"] for each in transitions[1:]} - {"reconciler"}
        assert len(hands) == len(set(KINDS[name].verbs.values())), (SEED, name, hands)
        serves, _ = kept_and_removed(explained)
        settled, until_next = last(explained, "grace"), following["created_at"] if following else None
        end = datetime.fromisoformat(until_next).timestamp() if until_next else math.inf
        others = {each.collection for each in story.answers() if settled < each.began and each.ended < end} - {serves}
        assert others == set(), (SEED, name)
    (route,) = (each for each in story.drive.get("/deployment/status")["aliases"] if each["alias"] == ALIAS)
    assert [target["collection"] for target in route["targets"]] == [serves]


def test_no_acknowledged_write_is_lost(story: Story) -> None:
    points = story.drive.call("POST", f"{V1}/collections/{ALIAS}/points/get", {"ids": list(story.acknowledged)}).json()
    revisions = {point["id"]: point["payload"]["revision"] for point in points["points"]}
    assert all(revisions[id] >= revision > 0 for id, revision in story.acknowledged.items()), SEED
