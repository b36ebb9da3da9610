"""SIGKILL to API processes, workers and supervisors during 200 random changes of all that the control plane keeps.

Nothing acknowledged is lost, no job is lost or stuck longer than its lease, none runs two at a time; the audit stays whole.
FAULTS_SEED chooses changes and moments; it is printed.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

import httpx
import psutil
import pytest
from control_world import DIMENSION, Changes, Ledger, WatchingEndpoint
from postgres import Cluster, postgres_cluster  # noqa: F401
from serving import ENVIRONMENT, RunningServer, StartServer, family, until

from vectis.adapters.durable.seat import Seat

CHANGES = 200
KILLS = ["api"] * 4 + ["worker"] * 3 + ["second worker"] * 3 + ["supervisor"] * 3
LEASE_S = Seat("any").lease_s
START_S = 60.0
SEED = int(os.environ.get("FAULTS_SEED") or 20_261)


class SecondWorker:
    """A `vectis worker` beside the server: another that may take each job."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "vectis", "worker", "--name", "second", "--data-dir", str(folder)]
        with (folder.parent / "second-worker.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=log, env={**ENVIRONMENT, **environment}
            )

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        self.process.wait(START_S)


class World:
    """The server with its second worker, which come back after each kill."""

    def __init__(self, start: StartServer, folder: Path, environment: dict[str, str]) -> None:
        init = [sys.executable, "-m", "vectis", "init", "--json", "--data-dir", str(folder)]
        made = subprocess.run(init, capture_output=True, check=True, env={**ENVIRONMENT, **environment})
        self.key: str = json.loads(made.stdout)["admin_key"]
        self._start, self._folder, self._environment = start, folder, environment
        self.server = self._started()
        self.second = SecondWorker(folder, environment)

    def _started(self) -> RunningServer:
        server = self._start(self._folder, "--workers", "2", **self._environment)
        server.http.headers["x-api-key"] = self.key
        return server

    @property
    def http(self) -> httpx.Client:
        return self.server.http

    def kill(self, who: str) -> None:
        """SIGKILL to the processes of this role, which are waited for when none is there just now."""
        for victim in until(lambda: self._victims(who) or None, START_S, f"there is a process to kill: {who}"):
            with suppress(psutil.NoSuchProcess):
                victim.kill()

    def _victims(self, who: str) -> list[psutil.Process]:
        if who == "second worker":
            return family(self.second.process)[1:]
        if who == "supervisor":
            return [psutil.Process(self.server.process.pid)]
        return [process for name, process in self.server.processes().items() if name.startswith(who)]

    def start_again(self) -> None:
        """A server in the place of one whose supervisor was killed."""
        self.server.kill()
        self.server = self._started()

    def stop(self) -> int:
        self.second.stop()
        return self.server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "sqlite":
        return {}
    postgres: Cluster = request.getfixturevalue("postgres_cluster")
    return {"DATABASE_URL": postgres.database(), "VECTIS_STORE__POOL_SIZE": "5", "VECTIS_STORE__POOL_OVERFLOW": "5"}


@pytest.fixture
def endpoint() -> Iterator[WatchingEndpoint]:
    endpoint = WatchingEndpoint(SEED)
    yield endpoint
    endpoint.close()


def test_what_was_acknowledged_survives_kills(
    start_server: StartServer, tmp_path: Path, database: dict[str, str], endpoint: WatchingEndpoint
) -> None:
    environment = {
        **database,
        "VECTIS_EMBEDDER__KIND": "openai",
        "VECTIS_EMBEDDER__URL": endpoint.url,
        "VECTIS_EMBEDDER__DIMENSION": str(DIMENSION),
        "VECTIS_LIMITS__PER_IP_REQUESTS": "0",
    }
    world = World(start_server, tmp_path / "data", environment)
    assert world.http.post("/api/v1/collections", json={"name": "docs"}).status_code == 201
    random, ledger = Random(SEED), Ledger()
    changes = Changes(ledger, random)
    kills = dict(
        zip(sorted(random.sample(range(10, CHANGES), len(KILLS))), random.sample(KILLS, len(KILLS)), strict=True)
    )
    unanswered = 0
    for number in range(CHANGES):
        if "worker" in kills.get(number, ""):
            until(lambda: _both_work(world.http, changes, endpoint), START_S, "both workers run a job")
        killer = _killer(world, kills.get(number), random)
        try:
            changes.make(world.http)
        except httpx.TransportError:
            unanswered += 1
        killer.join()
        if kills.get(number) == "supervisor":
            world.start_again()
            changes_under_way_are_over(ledger, world.http)
            check(world.http, ledger)
    settled_s = all_jobs_end(world.http, ledger)
    until(lambda: changes.learn_limit(world.http) or _no_change(world.http), START_S, "no change is under way")
    check(world.http, ledger)
    interrupted = sum(endpoint.asked.values()) - len(endpoint.asked)
    print(
        f"seed {SEED}: {dict(ledger.changes)}; {len(KILLS)} kills, {unanswered} requests without an answer, "
        f"{interrupted} documents begun anew, all jobs ended {settled_s:.1f} s after the last change"
    )
    assert interrupted > 0, "no kill met a running job: the test proves nothing"
    assert endpoint.twice_at_a_time == []
    verified = world.http.post("/api/v1/audit/verify").json()
    assert verified["holds"], verified
    assert world.stop() == 0


def _both_work(http: httpx.Client, changes: Changes, endpoint: WatchingEndpoint) -> bool | None:
    """Whether a kill of either worker meets a job; gives them more to do where they have little."""
    with suppress(httpx.TransportError):
        if len(http.get("/api/v1/jobs", params={"state": "pending"}).json()["jobs"]) < 2:
            changes.document(http)
    return endpoint.at_work() >= 2 or None


def _killer(world: World, who: str | None, random: Random) -> threading.Thread:
    """A thread that kills in the midst of the next change."""

    def kill() -> None:
        sleep(moment_s)  # the moment of the kill, not a wait for something
        if who is not None:
            world.kill(who)

    moment_s = random.uniform(0, 0.02) if who else 0.0
    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def changes_under_way_are_over(ledger: Ledger, http: httpx.Client) -> None:
    """A server that starts applies nothing: what it runs with is what lasts from now on."""
    found = _limit(http)
    assert found in ledger.limits, (SEED, found, ledger.limits)
    ledger.limits, ledger.begun_limit = {found}, None


def all_jobs_end(http: httpx.Client, ledger: Ledger) -> float:
    """Wait until every acknowledged job has ended, for a lease and the work itself at most; how long it took."""
    began = monotonic()
    unfinished = set(ledger.jobs)
    deadline = began + LEASE_S + len(unfinished)
    while unfinished:
        assert monotonic() < deadline, (SEED, unfinished)
        states = {job: http.get(f"/api/v1/jobs/{job}").json()["state"] for job in unfinished}
        unfinished = {job for job, state in states.items() if state in ("pending", "running")}
    return monotonic() - began


def check(http: httpx.Client, ledger: Ledger) -> None:
    """Everything that was acknowledged is so."""
    people = {user["name"]: user["status"] for user in http.get("/api/v1/users").json()["users"]}
    roles = {role["name"]: sorted(role["permissions"]) for role in http.get("/api/v1/roles").json()["roles"]}
    schedules = {plan["name"]: plan["cron"] for plan in http.get("/api/v1/schedules").json()["schedules"]}
    for kept, found in ((ledger.people, people), (ledger.roles, roles), (ledger.schedules, schedules)):
        assert kept == {name: found.get(name) for name in kept}, SEED
    for text, name, works in [*ledger.keys.values(), *ledger.sessions.values()]:
        if name in ledger.people:
            answer = httpx.get(f"{http.base_url}/api/v1/collections", headers={"x-api-key": text}, timeout=60)
            allowed = works and ledger.people[name] == "active"
            assert answer.status_code == (200 if allowed else 403), (SEED, name, works)
    assert _limit(http) in ledger.limits, (SEED, _limit(http), ledger.limits)
    for job, ends in ledger.jobs.items():
        found = http.get(f"/api/v1/jobs/{job}").json()
        assert found["state"] in (*ends, "pending", "running"), (SEED, found)
        if job in ledger.documents:
            name = ledger.documents[job]
            assert http.get(f"/api/v1/collections/docs/documents/{name}").status_code == 200, (SEED, name)
            if found["state"] == "done":
                assert _is_found(http, name), (SEED, name)


def _is_found(http: httpx.Client, name: str) -> bool:
    word = name.replace("document-", "word")
    asked = {"collection": "docs", "query": word, "mode": "sparse", "limit": 1}
    answer: Any = http.post("/api/v1/search", json=asked).json()
    return [result["id"] for result in answer["results"]] == [name]


def _limit(http: httpx.Client) -> int:
    settings: Any = http.get("/api/v1/config").json()["settings"]
    return next(line["value"] for line in settings if line["key"] == "search.limit_max")


def _no_change(http: httpx.Client) -> bool | None:
    with suppress(httpx.TransportError):
        return http.get("/api/v1/config").json()["change"]["state"] != "applying" or None
    return None
