"""SIGKILL to the whole server during random changes of people and keys: what was acknowledged holds, and nothing else shows.

FAULTS_SEED chooses the changes and the moments; a failure says it.
"""

import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from serving import ENVIRONMENT, RunningServer, StartServer, until

pytestmark = pytest.mark.faults

KILLS = 4
CHANGES_MIN = 200
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))
PEOPLE = [f"person-{n}" for n in range(12)]


class Ledger:
    """What the server has acknowledged: people with their status, keys with whether they work; what is in doubt is left out."""

    def __init__(self) -> None:
        self.people: dict[str, str | None] = {}
        self.keys: dict[str, tuple[str, str, bool]] = {}
        self.changes = 0

    def forget(self, name: str) -> None:
        """The answer to a change of this one never came: it may have happened or not."""
        self.people.pop(name, None)
        self.keys = {key_id: kept for key_id, kept in self.keys.items() if kept[1] != name}


def change(http: httpx.Client, ledger: Ledger, random: Random) -> None:
    """One random change, noted when it is acknowledged."""
    name = random.choice(PEOPLE)
    action = random.choice(("create", "create", "key", "key", "disable", "enable", "delete", "revoke"))
    theirs = [key_id for key_id, kept in ledger.keys.items() if kept[1] == name and kept[2]]
    try:
        if action == "create":
            answer = http.post("/api/v1/users", json={"name": name, "grants": [{"role": "viewer"}]})
            _note(answer, 201, lambda: ledger.people.update({name: "active"}))
        elif action == "key":
            answer = http.post("/api/v1/keys", json={"principal": name})
            _note(answer, 201, lambda: ledger.keys.update({answer.json()["id"]: (answer.json()["key"], name, True)}))
        elif action in ("disable", "enable"):
            status = {"disable": "disabled", "enable": "active"}[action]
            answer = http.patch(f"/api/v1/users/{name}", json={"status": status})
            _note(answer, 200, lambda: ledger.people.update({name: status}))
        elif action == "delete":
            answer = http.delete(f"/api/v1/users/{name}")
            _note(answer, 200, lambda: (ledger.forget(name), ledger.people.update({name: None})))
        elif theirs:
            key_id = random.choice(theirs)
            answer = http.delete(f"/api/v1/keys/{key_id}")
            text = ledger.keys[key_id][0]
            _note(answer, 200, lambda: ledger.keys.update({key_id: (text, name, False)}))
        ledger.changes += 1
    except httpx.TransportError:
        ledger.forget(name)
        raise


def _note(answer: httpx.Response, wanted: int, keep: Any) -> None:
    if answer.status_code == wanted:
        keep()
    else:
        assert answer.status_code in (404, 409), answer.text


def check(http: httpx.Client, ledger: Ledger) -> None:
    """Everything that was acknowledged is so."""
    people = {user["name"]: user["status"] for user in http.get("/api/v1/users").json()["users"]}
    for name, status in ledger.people.items():
        assert people.get(name) == status, (SEED, name)
    for text, name, works in ledger.keys.values():
        if name in ledger.people:
            answer = httpx.get(f"{http.base_url}/api/v1/collections", headers={"x-api-key": text}, timeout=30)
            allowed = works and ledger.people[name] == "active"
            assert answer.status_code == (200 if allowed else 403), (SEED, name, works)


def test_what_was_acknowledged_survives_kills(start_server: StartServer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    init = [sys.executable, "-m", "vectis", "init", "--data-dir", str(folder)]
    key = subprocess.run(init, capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout.strip()
    random, ledger = Random(SEED), Ledger()
    for _ in range(KILLS):
        server = start_server(folder, VECTIS_EMBEDDER__KIND="none")
        with httpx.Client(base_url=server.url, headers={"x-api-key": key}, timeout=30) as http:
            check(http, ledger)
            killer = threading.Timer(random.uniform(0.5, 2.5), kill, [server])
            killer.start()
            try:
                while True:
                    change(http, ledger, random)
            except httpx.TransportError:
                killer.join()
    server = start_server(folder, VECTIS_EMBEDDER__KIND="none")
    with httpx.Client(base_url=server.url, headers={"x-api-key": key}, timeout=30) as http:
        check(http, ledger)
        while ledger.changes < CHANGES_MIN:
            change(http, ledger, random)
        check(http, ledger)
    assert sum(works for _, _, works in ledger.keys.values()) > 0
    until(lambda: server.stop() == 0 or None, 30, "the server ends in order")


def kill(server: RunningServer) -> None:
    server.kill_all()
