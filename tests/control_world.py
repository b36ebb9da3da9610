"""What the control plane's crash test asks a server for, what it was promised, and an embeddings endpoint that watches jobs."""

import re
import select
import threading
from collections import Counter
from collections.abc import Callable
from random import Random
from socket import socket
from typing import Any

import httpx
from json_endpoint import JsonEndpoint

PEOPLE = [f"person-{n}" for n in range(8)]
ROLES = [f"role-{n}" for n in range(4)]
SCHEDULES = [f"schedule-{n}" for n in range(4)]
PERMISSIONS = ("read_collections", "view_metrics", "restart_services")
PASSWORD = "correct horse battery"
DIMENSION = 8


class WatchingEndpoint(JsonEndpoint):
    """An OpenAI-compatible embeddings endpoint that takes its time and notes when two ask about one document at a time."""

    def __init__(self, seed: int) -> None:
        self.asked: Counter[str] = Counter()
        self.twice_at_a_time: list[str] = []
        self._at_work: set[str] = set()
        self._lock = threading.Lock()
        self._random = Random(seed)
        super().__init__()

    def answer(self, body: dict[str, Any], connection: socket) -> dict[str, Any]:
        documents = set(re.findall(r"document-\d+", " ".join(body["input"])))
        self.begin(documents)
        # until it has waited, or whoever asked is dead: its connection ends
        select.select([connection], [], [], self.wait_s())
        self.end(documents)
        vectors = [
            {"index": n, "embedding": [1.0 + len(text) % (n + 2)] * DIMENSION} for n, text in enumerate(body["input"])
        ]
        return {"data": vectors}

    def wait_s(self) -> float:
        """How long one request takes."""
        with self._lock:
            return self._random.uniform(0.2, 0.6)

    def at_work(self) -> int:
        """About how many documents it is being asked now."""
        with self._lock:
            return len(self._at_work)

    def begin(self, documents: set[str]) -> None:
        """A request about these documents came."""
        with self._lock:
            self.twice_at_a_time += sorted(documents & self._at_work)
            self._at_work |= documents
            self.asked.update(documents)

    def end(self, documents: set[str]) -> None:
        """It was answered, or nobody waits for the answer any more."""
        with self._lock:
            self._at_work -= documents


class Ledger:
    """What the server has acknowledged. What is in doubt, because the answer to a change never came, is left out."""

    def __init__(self) -> None:
        self.people: dict[str, str | None] = {}
        self.roles: dict[str, list[str] | None] = {}
        self.schedules: dict[str, str | None] = {}
        self.keys: dict[str, tuple[str, str, bool]] = {}
        self.sessions: dict[str, tuple[str, str, bool]] = {}
        self.jobs: dict[str, tuple[str, ...]] = {}
        """The states that a job may end in."""
        self.documents: dict[str, str] = {}
        """By job, the document that it indexes."""
        self.limits: set[int] = {1000}
        """What the setting search.limit_max may be now: one value, and those of changes whose end is not known."""
        self.begun_limit: int | None = None
        self.changes: Counter[str] = Counter()

    def doubt(self, name: str) -> None:
        """A change of this person is in doubt, and with it what hangs on it."""
        self.people.pop(name, None)
        self.keys = {key: kept for key, kept in self.keys.items() if kept[1] != name}
        self.sessions = {session: kept for session, kept in self.sessions.items() if kept[1] != name}

    def end_sessions(self, name: str) -> None:
        """All of this person ended."""
        self.sessions |= {s: (token, whose, False) for s, (token, whose, _) in self.sessions.items() if whose == name}

    def remove(self, name: str) -> None:
        """This person was deleted, and its keys and sessions with it."""
        self.people[name] = None
        self.end_sessions(name)
        self.keys |= {key: (text, whose, False) for key, (text, whose, _) in self.keys.items() if whose == name}


class Changes:
    """Random changes of everything that the control plane keeps, each noted when it is acknowledged."""

    def __init__(self, ledger: Ledger, random: Random) -> None:
        self.ledger = ledger
        self._random = random
        self._count = self._documents = 0
        self._kinds: list[tuple[int, Callable[[httpx.Client], None]]] = [
            (4, self._person),
            (4, self._key),
            (3, self._role),
            (3, self._session),
            (6, self.document),
            (2, self._job),
            (3, self._schedule),
            (1, self._configuration),
        ]

    def make(self, http: httpx.Client) -> None:
        """One change. TransportError when its answer never came; it is in doubt then."""
        weights, kinds = zip(*self._kinds, strict=True)
        kind = self._random.choices(kinds, weights)[0]
        self._count += 1
        kind(http)
        self.ledger.changes[kind.__name__.strip("_")] += 1

    def _person(self, http: httpx.Client) -> None:
        name, ledger = self._random.choice(PEOPLE), self.ledger
        action = self._random.choice(("create", "create", "disable", "enable", "delete"))
        try:
            if action == "create":
                answer = http.post("/api/v1/users", json={"name": name, "grants": [{"role": "viewer"}]})
                if accepted(answer, 201):
                    ledger.people[name] = "active"
            elif action == "delete":
                if accepted(http.delete(f"/api/v1/users/{name}"), 200):
                    ledger.remove(name)
            else:
                status = {"disable": "disabled", "enable": "active"}[action]
                if accepted(http.patch(f"/api/v1/users/{name}", json={"status": status}), 200):
                    ledger.people[name] = status
                    if status == "disabled":
                        ledger.end_sessions(name)
        except httpx.TransportError:
            ledger.doubt(name)
            raise

    def _key(self, http: httpx.Client) -> None:
        ledger = self.ledger
        live = [key for key, kept in ledger.keys.items() if kept[2]]
        if live and self._random.random() < 0.4:
            key = self._random.choice(live)
            text, name, _ = ledger.keys.pop(key)
            if accepted(http.delete(f"/api/v1/keys/{key}"), 200):
                ledger.keys[key] = (text, name, False)
            return
        name = self._random.choice(PEOPLE)
        answer = http.post("/api/v1/keys", json={"principal": name})
        if accepted(answer, 201):
            ledger.keys[answer.json()["id"]] = (answer.json()["key"], name, True)

    def _role(self, http: httpx.Client) -> None:
        name, roles = self._random.choice(ROLES), self.ledger.roles
        allowed = sorted(self._random.sample(PERMISSIONS, 2))
        roles.pop(name, None)
        if self._random.random() < 0.7:
            if accepted(http.put(f"/api/v1/roles/{name}", json={"permissions": allowed}), 200):
                roles[name] = allowed
        elif accepted(http.delete(f"/api/v1/roles/{name}"), 200):
            roles[name] = None

    def _session(self, http: httpx.Client) -> None:
        ledger = self.ledger
        live = [session for session, kept in ledger.sessions.items() if kept[2]]
        if live and self._random.random() < 0.3:
            session = self._random.choice(live)
            token, name, _ = ledger.sessions.pop(session)
            if accepted(http.delete(f"/api/v1/sessions/{session}"), 200):
                ledger.sessions[session] = (token, name, False)
            return
        name = self._random.choice(PEOPLE)
        try:
            if accepted(http.put(f"/api/v1/users/{name}/password", json={"password": PASSWORD}), 200):
                ledger.end_sessions(name)
        except httpx.TransportError:
            ledger.sessions = {session: kept for session, kept in ledger.sessions.items() if kept[1] != name}
            raise
        answer = httpx.post(f"{http.base_url}/api/v1/tokens", json={"name": name, "password": PASSWORD}, timeout=60)
        if accepted(answer, 201, 403):
            ledger.sessions[answer.json()["session"]] = (answer.json()["access_token"], name, True)

    def document(self, http: httpx.Client) -> None:
        """One more document, and a job that indexes it."""
        self._documents += 1
        name = f"document-{self._documents}"
        document = {"id": name, "text": f"This is {name}, said word{self._documents}."}
        answer = http.post("/api/v1/collections/docs/documents", json={"documents": [document]})
        if accepted(answer, 202):
            job = answer.json()["job_id"]
            self.ledger.jobs[job] = ("done",)
            self.ledger.documents[job] = name

    def _job(self, http: httpx.Client) -> None:
        if not self.ledger.jobs:
            return
        job = self._random.choice(list(self.ledger.jobs))
        self.ledger.jobs[job] = ("done", "cancelled")
        verb = self._random.choice(("cancel", "retry"))
        if accepted(http.post(f"/api/v1/jobs/{job}/{verb}"), 200) and verb == "retry":
            self.ledger.jobs[job] = ("done",)

    def _schedule(self, http: httpx.Client) -> None:
        name, schedules = self._random.choice(SCHEDULES), self.ledger.schedules
        action = self._random.choice(("put", "put", "delete", "run"))
        if action == "run":
            answer = http.post(f"/api/v1/schedules/{name}/run")
            if accepted(answer, 200):
                self.ledger.jobs[answer.json()["id"]] = ("done",)
            return
        schedules.pop(name, None)
        if action == "put":
            plan = {
                "cron": f"{self._random.randrange(60)} 4 1 1 *",
                "kind": "optimize",
                "payload": {"collection": "docs"},
            }
            if accepted(http.put(f"/api/v1/schedules/{name}", json=plan), 200):
                schedules[name] = plan["cron"]
        elif accepted(http.delete(f"/api/v1/schedules/{name}"), 200):
            schedules[name] = None

    def _configuration(self, http: httpx.Client) -> None:
        ledger, limit = self.ledger, 100 + self._count
        self.learn_limit(http)
        ledger.limits.add(limit)
        begun, ledger.begun_limit = ledger.begun_limit, None  # without an answer, nobody knows which was begun last
        answer = http.post("/api/v1/config/apply", json={"text": f"[search]\nlimit_max = {limit}\n"})
        if accepted(answer, 202):
            ledger.begun_limit = limit
        else:
            ledger.limits.discard(limit)
            ledger.begun_limit = begun

    def learn_limit(self, http: httpx.Client) -> None:
        """How the change that was begun last ended, if the server says it: what was applied must last."""
        ledger, change = self.ledger, http.get("/api/v1/config").json()["change"]
        if ledger.begun_limit is not None and change["state"] == "applied":
            ledger.limits = {ledger.begun_limit}
        elif ledger.begun_limit is not None and change["state"] == "taken_back":
            ledger.limits.discard(ledger.begun_limit)


def accepted(answer: httpx.Response, wanted: int, *also: int) -> bool:
    """Whether a change was made; it may also be too late for it, or what it is about is not there."""
    assert answer.status_code in (wanted, 404, 409, *also), answer.text
    return answer.status_code == wanted
