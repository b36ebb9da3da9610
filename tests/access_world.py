"""A whole API over a real engine process and SQLite, with callers of every role and tenant, and two tenants' collections.

Who calls is said by the credential, which is a key of CALLERS; without it nobody is.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from engine_process import EngineProcess
from msgspec.structs import replace

from vectis.domain.access import ON_COLLECTIONS, SYSTEM, Caller, Permission, Right, authorize
from vectis.domain.errors import InvalidCredentials, Unauthenticated
from vectis.entrypoints.rest.app import RestApp
from vectis.entrypoints.rest.operation import Operation
from vectis.runtime.configuration.link import AskValidity, ChangeReport, Request, Validity, answering
from vectis.runtime.configuration.loading import load
from vectis.runtime.paths import FolderLayout
from vectis.runtime.wiring.api import open_services
from vectis.runtime.wiring.worker import open_worker

ROLES = {
    "admin": frozenset(
        {*ON_COLLECTIONS, Permission.MANAGE_USERS, Permission.VIEW_METRICS, Permission.SYSTEM_CONFIG},
    ),
    "operator": frozenset(
        {Permission.READ_COLLECTIONS, Permission.VIEW_METRICS, Permission.RESTART_SERVICES, Permission.BACKUP_RESTORE}
    ),
    "viewer": frozenset({Permission.READ_COLLECTIONS, Permission.VIEW_METRICS}),
    "nothing": frozenset[Permission](),
}
"""What the roles allow, as the product promises."""

CALLERS = {
    **{role: Caller(role, (Right(allowed),)) for role, allowed in ROLES.items()},
    **{
        f"{tenant}-{role}": Caller(f"{tenant}-{role}", (Right(allowed),), tenant)
        for tenant in ("acme", "globex")
        for role, allowed in ROLES.items()
    },
    "elsewhere": Caller("elsewhere", (Right(frozenset(Permission), ("nothing-*",)),)),
}

NAME = "@"
"""Stands before the name of a collection, alias, principal or role in an example."""
JOB, ROLLOUT, KEY, SESSION = "$job", "$rollout", "$key", "$session"
"""Stand for the id of a job and of an ended rollout that its caller may see, of a key, of an open session."""

PASSWORD = "correct horse battery"

SEED_POINTS = {"": 1, "globex": 2, "acme": 3}
JOBS_WAIT_S = 30.0

_PASSING = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z|_ms\":[\d.]+|[\d.]+ ?[KMGT]?i?B\b"
)


class Example:
    """A request that whoever is allowed to gets an answer to."""

    def __init__(self, body: Any = None, **path: str) -> None:
        self.body = body
        self.path = path

    def names(self) -> set[str]:
        """The collections and aliases that it names."""
        return set(re.findall(rf"{NAME}([\w-]+)", f"{self.body} {self.path}"))

    def naming(self, change: "dict[str, str]") -> "Example":
        """The same request about others."""
        path = {key: _renamed(value, change) for key, value in self.path.items()}
        return Example(_renamed(self.body, change), **path)


def _renamed(value: Any, change: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(below, change) for key, below in value.items()}
    if isinstance(value, list):
        return [_renamed(below, change) for below in value]
    if isinstance(value, str) and value.startswith(NAME):
        return NAME + change.get(value[len(NAME) :], value[len(NAME) :])
    return value


def _plain(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _plain(below, ids) for key, below in value.items()}
    if isinstance(value, list):
        return [_plain(below, ids) for below in value]
    return ids.get(value, value.removeprefix(NAME)) if isinstance(value, str) else value


def lasting(answer: httpx.Response) -> tuple[int, str]:
    """Status and body without what differs from one time to the next: ids, times, durations, sizes, order of keys."""
    text = answer.text
    if "json" in answer.headers["content-type"]:
        text = json.dumps(answer.json(), sort_keys=True, separators=(",", ":"))
    return answer.status_code, _PASSING.sub("", text)


class AccessWorld:
    """The API, and what the tests ask of it."""

    def __init__(self, app: RestApp, tenants: tuple[str, ...], move_rollouts: Callable[[], Awaitable[None]]) -> None:
        self.app = app
        self.tenants = tenants
        self._move_rollouts = move_rollouts
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vectis")
        self._jobs: dict[str, str] = {}
        self._rollouts: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    async def ask(self, method: str, path: str, body: Any = None, *, caller: str | None) -> httpx.Response:
        """One request as this caller."""
        headers = {} if caller is None else {"x-api-key": caller}
        return await self.http.request(method, path, json=body, headers=headers)

    async def call(self, operation: Operation, example: Example, *, caller: str | None) -> httpx.Response:
        """An operation with its example filled in."""
        tenant = CALLERS[caller].tenant if caller else ""
        ids = {**self._ids, JOB: self._jobs.get(tenant, "none"), ROLLOUT: self._rollouts.get(tenant, "none")}
        path = re.sub(r"{(\w+)(:path)?}", lambda found: _plain(example.path[found[1]], ids), operation.path)
        return await self.ask(operation.method, path, _plain(example.body, ids), caller=caller)

    async def seed(self) -> None:
        """For no tenant and each tenant: vecs, docs, the alias public, the same again under names of its own, and spares.

        Over rolls an ended rollout of the alias rolled, and a paused one of rolling.
        """
        tenants = ("", *self.tenants)
        await asyncio.gather(*(self._seed_tenant(tenant) for tenant in tenants), self._seed_principals())
        await self._move_rollouts()
        for caller, suffix in (place for tenant in tenants for place in _places(tenant)):
            await self._seed_rollout(caller, "rolling", suffix, "pause")
        await self.restore_schedule()
        await self.settled()

    async def restore(self, caller: str) -> None:
        """Bring back what examples delete, remove what they make."""
        await self.ask("POST", "/api/v1/collections", _vectors("spare"), caller=caller)
        await self.ask("PUT", "/api/v1/aliases/spare-alias", {"collection": "vecs"}, caller=caller)
        await self.ask("DELETE", "/api/v1/collections/made", caller=caller)

    async def restore_principals(self) -> None:
        """The same for principals, roles and sessions."""
        await self.ask("POST", "/api/v1/users", {"name": "spare"}, caller="admin")
        await self.ask("PUT", "/api/v1/roles/spare", {"permissions": ["view_metrics"]}, caller="admin")
        await self.ask("DELETE", "/api/v1/users/made", caller="admin")
        log_in = await self.ask("POST", "/api/v1/tokens", {"name": "pat", "password": PASSWORD}, caller=None)
        self._ids[SESSION] = log_in.json()["session"]

    async def restore_schedule(self) -> None:
        """The schedule `tidy`, about a collection of no tenant."""
        plan = {"cron": "0 4 * * *", "kind": "optimize", "payload": {"collection": "vecs"}}
        kept = await self.ask("PUT", "/api/v1/schedules/tidy", plan, caller="operator")
        assert kept.is_success, kept.text

    async def settled(self) -> None:
        """Return when no job is waiting or running."""
        deadline = monotonic() + JOBS_WAIT_S
        while True:
            answer = await self.ask("GET", "/api/v1/jobs?limit=1000", caller="admin")
            waiting = [job for job in answer.json()["jobs"] if job["kind"] != "remove_collection"]
            if all(job["state"] not in ("pending", "running") for job in waiting):
                return
            assert monotonic() < deadline, answer.text
            await asyncio.sleep(0.02)

    async def everything(self, tenant: str) -> list[tuple[int, str]]:
        """All that a tenant has, as it sees it, once no job is at work on it."""
        await self.settled()
        caller = f"{tenant}-admin"
        listed = await self.ask("GET", "/api/v1/collections", caller=caller)
        answers = [listed]
        for collection in listed.json()["collections"]:
            path = f"/api/v1/collections/{collection['name']}"
            answers += [
                await self.ask("GET", path, caller=caller),
                await self.ask("POST", f"{path}/points/scroll", {"limit": 100, "with_vectors": True}, caller=caller),
                await self.ask("GET", f"{path}/documents", caller=caller),
            ]
        answers += [await self.ask("GET", f"/api/v1/{what}", caller=caller) for what in ("aliases", "jobs")]
        return [lasting(answer) for answer in answers]

    async def _seed_principals(self) -> None:
        """`pat` may log in, `app` has a key, `pass` gets passwords; `gauge` is a role that everybody who manages may give."""
        await self.ask("PUT", "/api/v1/roles/gauge", {"permissions": ["view_metrics"]}, caller="admin")
        for name in ("pat", "pass", "app"):
            await self.ask("POST", "/api/v1/users", {"name": name, "grants": [{"role": "gauge"}]}, caller="admin")
        await self.ask("PUT", "/api/v1/users/pat/password", {"password": PASSWORD}, caller="admin")
        key = await self.ask("POST", "/api/v1/keys", {"principal": "pat"}, caller="admin")
        self._ids[KEY] = key.json()["id"]
        await self.restore_principals()

    async def _seed_tenant(self, tenant: str) -> None:
        for caller, suffix in _places(tenant):
            await self._seed(tenant, caller, suffix)
        await self.restore(caller)

    async def _done(self, caller: str, method: str, path: str, body: Any) -> Any:
        answer = await self.ask(method, f"/api/v1{path}", body, caller=caller)
        assert answer.is_success, answer.text
        return answer.json()

    async def _seed_rollout(self, caller: str, alias: str, suffix: str, verb: str) -> str:
        """The id of a rollout of this alias, to which this was done at once."""
        done = partial(self._done, caller)
        await done("PUT", f"/aliases/{alias}{suffix}", {"collection": f"rolls{suffix}"})
        rollout = {"alias": f"{alias}{suffix}", "change": "data_refresh", "candidate": f"docs{suffix}"}
        began = (await done("POST", "/rollouts", rollout))["id"]
        await done("POST", f"/rollouts/{began}/{verb}", {})
        return began

    async def _seed(self, tenant: str, caller: str, suffix: str) -> None:
        done = partial(self._done, caller)
        await done("POST", "/collections", _vectors(f"vecs{suffix}"))
        await done("POST", "/collections", _vectors(f"rolls{suffix}"))
        await done("PUT", f"/aliases/public{suffix}", {"collection": f"vecs{suffix}"})
        points = [
            {"id": number, "vector": [1.0, number], "payload": {"owner": f"secret-{tenant}"}}
            for number in range(SEED_POINTS[tenant])
        ]
        await done("PUT", f"/collections/vecs{suffix}/points", {"points": points})
        await done("POST", "/collections", {"name": f"docs{suffix}"})
        document = {"id": "d1", "text": f"Apples are red, says secret-{tenant}."}
        kept = await done("POST", f"/collections/docs{suffix}/documents", {"documents": [document]})
        self._jobs[tenant] = kept["job_id"]
        self._rollouts[tenant] = await self._seed_rollout(caller, "rolled", suffix, "abort")


def _places(tenant: str) -> list[tuple[str, str]]:
    """A tenant's admin with the suffixes of names in it: those that others have too, and its own."""
    caller = f"{tenant}-admin" if tenant else "admin"
    return [(caller, ""), (caller, f"-{tenant or 'none'}")]


def _vectors(name: str) -> dict[str, Any]:
    return {"name": name, "vectors": {"dense": {"size": 2}}}


@asynccontextmanager
async def open_world(folder: Path, tenants: tuple[str, ...] = ("acme", "globex")) -> AsyncGenerator[AccessWorld]:
    """A seeded world with its worker."""
    chosen = {"server.data_dir": str(folder), "embedder.kind": "none", "limits.per_ip_requests": "0"}
    configuration = load(None, chosen, {})
    paths = FolderLayout(folder)
    for place in (paths.engine, paths.run):
        place.mkdir(parents=True, exist_ok=True)
    async with (
        EngineProcess(paths.engine, paths.engine_socket),
        answering(paths.supervisor_socket, supervisor),
        open_worker(configuration.settings) as worker,
        open_services(configuration, process="api-1") as services,
    ):
        await services.access.begin(authorize(SYSTEM, Permission.MANAGE_USERS))
        await worker.runner.announce()
        running = asyncio.ensure_future(worker.runner.run(worker.handlers))
        world = AccessWorld(RestApp(replace(services, authenticate=authenticate)), tenants, worker.reconciler.tick)
        try:
            await world.seed()
            yield world
        finally:
            await world.http.aclose()
            await worker.runner.stop()
            await running


async def supervisor(request: Request) -> ChangeReport | Validity:
    """Agrees to every change and makes none: who may ask for one is decided before."""
    return Validity((), (), ()) if isinstance(request, AskValidity) else ChangeReport()


def authenticate(credential: str, _address: str) -> Caller:
    """The caller that the credential names."""
    if not credential:
        raise Unauthenticated("API key required")
    if credential not in CALLERS:
        raise InvalidCredentials("Invalid API key")
    return CALLERS[credential]
