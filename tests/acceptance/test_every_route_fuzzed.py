"""Requests made from our own OpenAPI document, good ones and bad ones, against the API over HTTP.

No fault of the server, no answer against its schema, no status that is not documented, no answer without the permission.
Each request is sent as several callers. The quick run makes few and sends them as one who may and one who may nothing.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any

import msgspec
import pytest
import schemathesis
import uvicorn
from access_world import CALLERS, ROLES, open_world
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from vectis.entrypoints.rest.openapi import document
from vectis.entrypoints.rest.operation import MSGPACK, PUBLIC, Operation
from vectis.entrypoints.rest.routes import OPERATIONS

NAMES = ("vecs", "docs", "public", "nothing-there", "acme~vecs")


def no_fault(context: CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> bool | None:
    """No server error, but for what this server says that it has not: a model."""
    if response.status_code == 503 and response.json()["code"] == "embedder_unavailable":
        return None
    return not_a_server_error(context, response, case)


CHECKS = [
    no_fault,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NO_MSGPACK = b"\xc1"
"""The one byte that begins nothing: for values that MessagePack cannot hold."""

KINDS = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
BY_NAME = {operation.name: operation for operation in OPERATIONS}
KINDS_OF_EACH = [
    pytest.param(o.name, kind, id=f"{o.name}-{kind.value}")
    for o in OPERATIONS
    for kind in KINDS
    if kind is schemathesis.GenerationMode.POSITIVE or o.body is not None or o.query is not None
]


def _without_credentials(described: dict[str, Any]) -> dict[str, Any]:
    """The document as one that makes no credentials up: the test itself says who calls."""
    for operations in described["paths"].values():
        for operation in operations.values():
            operation["security"] = []
    return described


SCHEMA = schemathesis.openapi.from_dict(_without_credentials(json.loads(document())))
QUICK, THOROUGH = 2, 200
"""Examples of each kind for each route; thorough ones are sent as each of these callers."""
SENT_AS = (None, "nothing", "viewer", "operator", "elsewhere", "acme-admin", "admin")

spent_on_each = pytest.mark.parametrize("examples", [QUICK, pytest.param(THOROUGH, marks=pytest.mark.slow)])


@schemathesis.serializer(MSGPACK)
def _msgpack(context: Any, value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        return NO_MSGPACK


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a seeded world, served by a thread of this process."""
    folder = tmp_path_factory.mktemp("fuzzed") / "data"
    said: Queue[tuple[str, asyncio.AbstractEventLoop, uvicorn.Server] | BaseException] = Queue()

    async def serve() -> None:
        async with open_world(folder, ("acme",)) as world:
            config = uvicorn.Config(world.app, port=0, lifespan="off", log_config=None, access_log=False)
            server = uvicorn.Server(config)
            serving = asyncio.ensure_future(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn sets a flag and no event
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            said.put((f"http://127.0.0.1:{port}", asyncio.get_running_loop(), server))
            await serving

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            said.put(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    began = said.get(timeout=120)
    if isinstance(began, BaseException):
        raise began
    address, loop, server = began
    yield address
    loop.call_soon_threadsafe(setattr, server, "should_exit", True)
    thread.join()


@pytest.mark.parametrize(("name", "kind"), KINDS_OF_EACH)
@spent_on_each
def test_route(url: str, name: str, kind: schemathesis.GenerationMode, examples: int) -> None:
    operation = BY_NAME[name]
    described = SCHEMA.find_operation_by_label(f"{operation.method} {operation.path.replace(':path', '')}")
    assert described is not None
    callers = SENT_AS if examples == THOROUGH else ("nothing", _one_who_may(operation))

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=described.as_strategy(generation_mode=kind), named=st.sampled_from([*NAMES, None]))
    def ask(case: schemathesis.Case, named: str | None) -> None:
        if named is not None:
            _name(case, named)
        for caller in callers:
            response = case.call(base_url=url, headers={} if caller is None else {"x-api-key": caller})
            case.validate_response(response, checks=CHECKS)
            if not _may(caller, operation) and not _missed(response):
                assert response.status_code == (401 if caller is None else 403)

    ask()


def _one_who_may(operation: Operation) -> str:
    return next(role for role in ROLES if _may(role, operation))


def _may(caller: str | None, operation: Operation) -> bool:
    if operation.permission is PUBLIC or caller is None:
        return operation.permission is PUBLIC
    return any(operation.permission in right.permissions for right in CALLERS[caller].rights)


def _missed(response: schemathesis.Response) -> bool:
    """A made-up path may be one of no route, or of none that takes the method."""
    return response.status_code in (404, 405) and response.json()["code"] in ("route_not_found", "method_not_allowed")


def _name(case: schemathesis.Case, name: str) -> None:
    """Most made-up names are of nothing: ask about what there is."""
    for place in (case.path_parameters, case.body, case.query):
        if isinstance(place, dict):
            for key in ("collection", "alias"):
                if key in place:
                    place[key] = name
