"""Every route, for every role and tenant: who may, who may not, and that nothing of another tenant shows or changes.

What is expected comes from what the operation declares. A route that takes anything needs an example here.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from access_world import CALLERS, JOB, KEY, NAME, ROLLOUT, SESSION, AccessWorld, Example, lasting, open_world

from vectis.domain.access import ON_COLLECTIONS, Permission
from vectis.entrypoints.rest.operation import PUBLIC, Operation
from vectis.entrypoints.rest.reception import UNRECORDED
from vectis.entrypoints.rest.routes import OPERATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")

VECS, DOCS = {"collection": "@vecs"}, {"collection": "@docs"}
VECTOR_SEARCH = {**VECS, "query_vector": [1.0, 0.0]}
GAIN = {"mode": "hyde", "against": "default", "dataset": "d", "queries": 9, "difference": 0.1, "low": 0.0, "high": 0.2}

EXAMPLES = {
    "search": Example({**DOCS, "query": "apples"}),
    "similar": Example({**VECS, "positive": [{"id": 0}]}),
    "search_vectors": Example(VECTOR_SEARCH),
    "search_vectors_batch": Example({"searches": [VECTOR_SEARCH, VECTOR_SEARCH]}),
    "give_feedback": Example({"query_id": "of another server", "result_id": "d1", "kind": "click"}),
    "create_collection": Example({"name": "@made", "vectors": {"dense": {"size": 2}}}),
    "describe_collection": Example(**VECS),
    "delete_collection": Example(collection="@spare"),
    "undelete_collection": Example(**VECS),
    "optimize_collection": Example(**VECS),
    "configure_collection": Example({"search": {"limit": 9}}, **VECS),
    "keep_gain": Example(GAIN, **VECS),
    "list_search_settings": Example(**VECS),
    "roll_back_search_settings": Example({"version": 1}, **VECS),
    "create_payload_index": Example({"key": "owner", "kind": "keyword"}, **VECS),
    "set_alias": Example(VECS, alias="@public"),
    "delete_alias": Example(alias="@spare-alias"),
    "upsert_points": Example({"points": [{"id": 0, "vector": [1.0, 0.0], "payload": {"written": True}}]}, **VECS),
    "scroll_points": Example({"with_vectors": True}, **VECS),
    "count_points": Example({}, **VECS),
    "get_points": Example({"ids": [0, 1, 2]}, **VECS),
    "delete_points": Example({"filter": {"must": [{"key": "owner", "match": {"value": "nobody"}}]}}, **VECS),
    "get_point": Example(**VECS, id="0"),
    "put_documents": Example({"documents": [{"id": "d2", "text": "Pears are green."}]}, **DOCS),
    "list_documents": Example(**DOCS),
    "delete_documents": Example({"ids": ["d3"]}, **DOCS),
    "get_document": Example(**DOCS, id="d1"),
    "delete_document": Example(**DOCS, id="d3"),
    "get_job": Example(id=JOB),
    "follow_job": Example(id=JOB),
    "estimate_rollout": Example({"alias": "@rolling", "change": "index_config", "build": {"hnsw": {"m": 8}}}),
    "start_rollout": Example({"alias": "@rolling", "change": "data_refresh", "candidate": "@docs"}),
    "get_rollout": Example(id=ROLLOUT),
    "explain_rollout": Example(id=ROLLOUT),
    "follow_rollout": Example(id=ROLLOUT),
    "change_rollout": Example({}, id=ROLLOUT, verb="pause"),
    "apply_configuration": Example({"text": "[search]"}),
    "roll_back_configuration": Example({"version": 1}),
    "get_schedule": Example(name="tidy"),
    "put_schedule": Example({"cron": "0 4 * * *", "kind": "optimize", "payload": VECS}, name="tidy"),
    "run_schedule": Example(name="tidy"),
    "delete_schedule": Example(name="tidy"),
    "warm_caches": Example({}),
    "clear_caches": Example({}),
    "retry_jobs": Example({}),
    "recover_jobs": Example({}),
    "retry_job": Example(id=JOB),
    "cancel_job": Example(id=JOB),
    "create_principal": Example({"name": "@made"}),
    "get_principal": Example(user="pat"),
    "change_principal": Example({"contact": "someone@example.org"}, user="pat"),
    "delete_principal": Example(user="@spare"),
    "set_password": Example({"password": "a long enough password"}, user="pass"),
    "rotate_keys": Example(user="pass"),
    "create_key": Example({"principal": "app"}),
    "revoke_key": Example(id=KEY),
    "put_role": Example({"permissions": ["view_metrics"]}, role="@spare"),
    "delete_role": Example(role="@spare"),
    "end_session": Example(id=SESSION),
    "log_in": Example({"name": "pat", "password": "not the password"}),
    "refresh_tokens": Example({"refresh_token": "not one"}),
    "log_out": Example({"refresh_token": "not one"}),
}
"""`@vecs`, `@docs`, `@public` are in every tenant; `@spare`, `@spare-alias` come back when deleted, `@made` goes."""

TOKEN_ROUTES = {"log_in", "refresh_tokens", "log_out"}
"""Public, since what they take is the credential; their examples send a wrong one."""

NOTHING = Example()
AT_ONCE = 16

OF_ONE_SCHEDULE = ("get_schedule", "run_schedule", "delete_schedule")
OF_ONE_ID = (
    *("get_job", "follow_job", "retry_job", "cancel_job"),
    *("get_rollout", "explain_rollout", "follow_rollout", "change_rollout"),
)
TOO_LATE = ("retry_job", "cancel_job", "start_rollout", "change_rollout")
"""The job of the examples is done, one rollout has ended, another is under way: whoever may do this is told so."""


def example(operation: Operation) -> Example:
    return EXAMPLES.get(operation.name, NOTHING)


BY_NAME = {operation.name: operation for operation in OPERATIONS}
each_naming_one = pytest.mark.parametrize("name", [o.name for o in OPERATIONS if example(o).names()])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AccessWorld]:
    async with open_world(tmp_path_factory.mktemp("access") / "data") as world:
        yield world


def expected(operation: Operation, caller: str | None) -> int:
    """The status that the declaration of an operation and the caller's rights lead to; 200 for any success."""
    if operation.permission is PUBLIC:
        return 403 if operation.name in TOKEN_ROUTES else 200
    if caller is None:
        return 401
    who = CALLERS[caller]
    of_tenants = not who.tenant or operation.permission in ON_COLLECTIONS
    if not of_tenants or not any(operation.permission in right.permissions for right in who.rights):
        return 403
    if operation.name == "give_feedback":
        return 422  # the id of the example is none of this server's
    if caller == "elsewhere":
        named = example(operation).names() and operation.permission in ON_COLLECTIONS
        if named or operation.name == "put_schedule":
            return 403
        return 404 if operation.name in (*OF_ONE_ID, *OF_ONE_SCHEDULE) else 200
    if operation.name == "undelete_collection":
        return 404  # the collection of the example is not deleted
    return 409 if operation.name in TOO_LATE else 200


async def test_every_route_declares_what_it_needs_and_has_an_example() -> None:
    taking = {o.name for o in OPERATIONS if o.body is not None or "{" in o.path}
    assert taking == EXAMPLES.keys(), "give each route that takes anything its example in EXAMPLES, and no other"
    assert all(isinstance(o.permission, Permission) or o.permission is PUBLIC for o in OPERATIONS)
    public = {o.name for o in OPERATIONS if o.permission is PUBLIC}
    assert public == {"health", "api_health", "v1_health", *TOKEN_ROUTES}


async def test_an_operation_cannot_leave_its_permission_out() -> None:
    with pytest.raises(TypeError, match="permission"):
        Operation(name="x", method="GET", path="/x", summary="x", handler=BY_NAME["health"].handler, answer=bytes)


async def test_a_tenant_alone_sees_the_same(world: AccessWorld, tmp_path: Path) -> None:
    """Every answer to a tenant is the same whether or not there is another one. Comes first, while both are as seeded."""

    async def ask(each: AccessWorld, operation: Operation) -> tuple[int, str]:
        answer = await each.call(operation, example(operation), caller="globex-admin")
        if answer.is_success and operation.method != "GET":
            await each.settled()  # what it left to a job may show in the next
        return lasting(answer)

    async with open_world(tmp_path / "data", ("globex",)) as alone:
        for operation in OPERATIONS:
            beside_another, by_itself = await asyncio.gather(ask(world, operation), ask(alone, operation))
            assert beside_another == by_itself, operation.name
    await world.restore("globex-admin")


@pytest.mark.parametrize("caller", [None, *CALLERS])
async def test_who_may(world: AccessWorld, caller: str | None) -> None:
    """What changes nothing is asked at once, what does one after the other; each operation that is answered wrong is named."""
    acts = [operation for operation in OPERATIONS if _acts(operation, caller)]
    at_once = asyncio.Semaphore(AT_ONCE)
    wrong: list[AssertionError] = []

    async def ask(operation: Operation) -> None:
        async with at_once:
            answer = await world.call(operation, example(operation), caller=caller)
        try:
            check_answer(operation, caller, answer)
        except AssertionError as error:
            error.add_note(f"{operation.name}, asked by {caller}")
            wrong.append(error)
        if answer.is_success and operation in acts:
            await _undo(world, operation, caller)

    await asyncio.gather(*(ask(operation) for operation in OPERATIONS if operation not in acts))
    for operation in acts:
        await ask(operation)
    if wrong:
        raise ExceptionGroup(f"{len(wrong)} operations answer {caller} wrong", wrong)


def _acts(operation: Operation, caller: str | None) -> bool:
    return operation.method != "GET" and operation.permission not in UNRECORDED and expected(operation, caller) == 200


async def _undo(world: AccessWorld, operation: Operation, caller: str | None) -> None:
    """Bring back what an operation deleted, remove what it made."""
    named = example(operation).names() & {"made", "spare", "spare-alias"}
    if operation.permission is Permission.MANAGE_USERS:
        if named or operation.name == "end_session":
            await world.restore_principals()
    elif named:
        tenant = CALLERS[caller].tenant if caller else ""
        await world.restore(f"{tenant}-admin" if tenant else "admin")
    elif operation.name == "delete_schedule":
        await world.restore_schedule()


def check_answer(operation: Operation, caller: str | None, answer: httpx.Response) -> None:
    """An answer is what the declaration leads to, says why not, and tells nothing of others."""
    wanted = expected(operation, caller)
    answered = (
        answer.is_success or answer.status_code == operation.other_status
    )  # as when a busy part is slow to answer
    assert (200 if answered else answer.status_code) == wanted, answer.text
    if wanted == 401:
        assert answer.json()["detail"] == "API key required"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if operation.name in TOKEN_ROUTES:
        assert answer.json()["code"] == "invalid_credentials"
    elif wanted == 403:
        assert answer.json()["code"] == "permission_denied"
        assert answer.json()["permission"] == operation.permission
    if caller is None or wanted == 403 or CALLERS[caller].tenant:
        others = {"acme", "globex", "secret-"} - ({CALLERS[caller].tenant, "secret-"} if caller else set())
        assert not [word for word in others if word in answer.text]
    if caller is not None and CALLERS[caller].tenant:
        assert f"{CALLERS[caller].tenant}~" not in answer.text, "a name is shown to a tenant as the tenant writes it"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def before(world: AccessWorld) -> list[tuple[int, str]]:
    """All that acme had before anybody of globex asked about it."""
    return await world.everything("acme")


@each_naming_one
@pytest.mark.usefixtures("before")
async def test_what_another_tenant_has_is_as_what_nobody_has(world: AccessWorld, name: str) -> None:
    """By its own name, by its full name."""
    operation = BY_NAME[name]
    for there, absent in (("{}-acme", "{}-void"), ("acme~{}-acme", "void~{}-void"), ("acme~{}", "void~{}")):
        shown: list[tuple[int, str]] = []
        for form in (there, absent):
            change = {each: form.format(each) for each in example(operation).names()}
            request = example(operation).naming(change)
            answer = await world.call(operation, request, caller="globex-admin")
            assert name == "create_collection" or not answer.is_success
            assert "secret-acme" not in answer.text
            status, text = lasting(answer)
            for each, written in change.items():
                text = text.replace(written, NAME + each)
            shown.append((status, text))
            if answer.is_success:
                await world.ask("DELETE", f"/api/v1/collections/{change['made']}", caller="globex-admin")
        assert shown[0] == shown[1]


async def test_nothing_of_another_tenant_was_changed(world: AccessWorld, before: list[tuple[int, str]]) -> None:
    """By none of the requests of the test above."""
    changed = [pair for pair in zip(before, await world.everything("acme"), strict=True) if pair[0] != pair[1]]
    assert not changed, "\n".join(str(text) for pair in changed for _, text in pair)
