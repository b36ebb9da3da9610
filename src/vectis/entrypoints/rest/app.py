"""The ASGI application: request ids, errors, counting. Which endpoint answers is routing.py's."""

import errno
import re
from time import perf_counter
from uuid import uuid4

import structlog
from starlette.types import Message, Receive, Scope, Send

from vectis.domain.access import NOBODY
from vectis.domain.errors import DiskFull, VectisError
from vectis.entrypoints.rest.credentials import challenge
from vectis.entrypoints.rest.keeping import KeepingEndpoint
from vectis.entrypoints.rest.openapi import document
from vectis.entrypoints.rest.operation import JSON, Endpoint, Operation, respond
from vectis.entrypoints.rest.origin import Headers
from vectis.entrypoints.rest.problems import internal_problem, problem
from vectis.entrypoints.rest.reception import Reception
from vectis.entrypoints.rest.routes import OPERATIONS
from vectis.entrypoints.rest.routing import RouteIndex
from vectis.entrypoints.rest.streaming import EventStreams, StreamingEndpoint
from vectis.runtime.services import Services
from vectis.runtime.telemetry import request_id_var, trace_id_var

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, 3.2: version, trace, parent, flags; all zeroes name nothing. Later versions may go on after that."""

log = structlog.stdlib.get_logger("vectis.rest")


class RestApp:
    """Answers every request; each error becomes a problem, each request is counted and carries its id."""

    def __init__(self, services: Services) -> None:
        self._observe = services.observe
        self._logs_requests = services.logs_requests
        self._reception = Reception(services)
        self.streams = EventStreams()
        operations = [
            (o.name, o.method, o.path, _endpoint(o, services, self._reception, self.streams)) for o in OPERATIONS
        ]
        self._routes = RouteIndex([*operations, ("openapi", "GET", "/openapi.json", _openapi)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this server speaks HTTP, not {scope['type']}")
        started = perf_counter()
        request_id, trace_id = _ids(scope)
        scope["vectis.request_id"], scope["vectis.caller"] = request_id, NOBODY
        request_id_var.set(request_id)
        trace_id_var.set(trace_id)
        self._reception.meet(scope)
        sent = _Sent(send, scope["vectis.headers"])
        name = "unknown"
        try:
            self._reception.check_address(scope)
            name, endpoint, scope["path_params"] = self._routes.find(scope["method"], scope["path"])
            await endpoint(scope, receive, sent)
        except VectisError as error:
            await self._fail(error, scope, sent)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                await self._bug(scope, sent)
            else:
                await self._fail(DiskFull("the disk is full; nothing was written: free space and repeat"), scope, sent)
        except Exception:  # noqa: BLE001 - outermost frame of a request: a bug is logged with its trace, answered with 500
            await self._bug(scope, sent)
        took_s = perf_counter() - started
        self._observe(name, sent.status, took_s)
        if self._logs_requests:
            _log_request(name, scope, sent.status, started, took_s)

    async def _fail(self, error: VectisError, scope: Scope, sent: "_Sent") -> None:
        request_id = scope["vectis.request_id"]
        status, body, headers = problem(error, request_id, scope["vectis.caller"])
        if status == 401:
            headers["www-authenticate"] = challenge(scope["path"])
        if status >= 500:
            log.warning("request_failed", code=error.code, detail=error.message, status=status)
        await sent.problem(status, body, request_id, headers)

    async def _bug(self, scope: Scope, sent: "_Sent") -> None:
        request_id = scope["vectis.request_id"]
        log.exception("request_crashed", method=scope["method"], path=scope["path"])
        await sent.problem(500, internal_problem(request_id), request_id, {})


def _endpoint(operation: Operation, services: Services, reception: Reception, streams: EventStreams) -> Endpoint:
    if operation.streamed:
        return StreamingEndpoint(operation, services, reception, streams)
    return (KeepingEndpoint if operation.kept else Endpoint)(operation, services, reception)


class _Sent:
    """Passes messages on with the headers that every answer carries, and remembers that a response has begun."""

    __slots__ = ("_headers", "_send", "status")

    def __init__(self, send: Send, headers: Headers) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] += self._headers
        await self._send(message)

    async def problem(self, status: int, body: bytes, request_id: str, headers: dict[str, str]) -> None:
        """Send an error, unless a response has begun."""
        if not self.status:
            await respond(self, status, body, "application/problem+json", request_id, headers)


def _ids(scope: Scope) -> tuple[str, str]:
    """The request's id, a new one when it brings none, and its trace's, empty when it brings none."""
    request_id = trace_id = ""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent" and (found := _TRACEPARENT.match(value)) is not None:
            trace_id = found[1].decode()
    return request_id or uuid4().hex, trace_id


def _log_request(name: str, scope: Scope, status: int, started: float, took_s: float) -> None:
    """`admitted_ms` is the part of `took_ms` until it was known who calls and that he may; none for who may not."""
    admitted_at = scope.get("vectis.admitted_at")
    log.info(
        "request",
        operation=name,
        method=scope["method"],
        path=scope["path"],
        status=status,
        caller=scope["vectis.caller"].name,
        admitted_ms=None if admitted_at is None else round((admitted_at - started) * 1000, 3),
        took_ms=round(took_s * 1000, 3),
    )


async def _openapi(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, 200, document(), JSON, scope["vectis.request_id"])
