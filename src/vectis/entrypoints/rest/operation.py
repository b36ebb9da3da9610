"""One route as data, and the bare ASGI application that runs it: authorize, read, decode, call the handler, encode, send.

The same path serves hot and cold routes; there is no validation beside msgspec's typed decoding.
"""

from asyncio import get_running_loop, timeout_at
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from vectis.domain.access import NOBODY, Caller, CollectionPass, Pass, Permission, authorize, authorize_on
from vectis.domain.errors import InvalidInput, MalformedBody, TooLarge, VectisError
from vectis.domain.ports.directory import UNROUTED
from vectis.domain.routes import Routing
from vectis.entrypoints.rest.reception import Amendment, Reception
from vectis.entrypoints.rest.variants import ALIAS, ALIAS_VERSION, QUERY_ID, VARIANT, routing_of
from vectis.runtime.services import Services

JSON = "application/json"
MSGPACK = "application/msgpack"
EVENTS = "text/event-stream"
RAW = "application/octet-stream"
TEXT = "text/plain; version=0.0.4; charset=utf-8"

BODY_PATIENCE_S = 20.0
BODY_BYTES_PER_S = 16_384

PUBLIC: Final = None
"""The permission of an operation that answers anyone and does not ask who it is."""


class Call(msgspec.Struct):
    """What a handler gets: the services, path parameters, the decoded body and query string (None where there is none).

    A handler gets the passes that services want from `may` and `may_all`, and from nowhere else. What it puts into `headers`
    goes with its answer.
    """

    services: Services
    caller: Caller
    permission: Permission | None
    path: dict[str, str]
    body: Any
    query: Any
    routing: Routing = UNROUTED
    headers: dict[str, str] = {}
    change: Amendment | None = None
    """What the handler changed of who may do what, or of the configuration, for the audit."""

    def may(self, name: str) -> CollectionPass:
        """The pass to do what the operation declares with the collection or alias `name`. Raises PermissionDenied."""
        assert self.permission is not None, "a public operation declares nothing that a pass could be for"
        return authorize_on(self.caller, self.permission, name)

    def check_choice(self, asked: Any) -> None:
        """Whether the caller may say which variant answers this search, or each of a batch. Raises PermissionDenied."""
        for each in getattr(asked, "searches", [asked]):
            self.check_choice_on(each.collection)

    def check_choice_on(self, name: str) -> None:
        """Whether the caller may say which variant of `name` answers. Raises PermissionDenied."""
        authorize_on(self.caller, Permission.WRITE_COLLECTIONS, name)

    def may_all(self) -> Pass:
        """The pass to do what the operation declares where no one collection is meant. Raises PermissionDenied."""
        assert self.permission is not None, "a public operation declares nothing that a pass could be for"
        return authorize(self.caller, self.permission)


class Reply(msgspec.Struct):
    """An answer with a status other than the operation's own, or bytes that are encoded already."""

    content: Any
    status: int
    content_type: str = ""


Handler = Callable[[Call], Awaitable[Any]]


class RawBody(msgspec.Struct, frozen=True):
    """For bodies of application/octet-stream: the body arrives as bytes, everything else in the query string."""

    handler: Handler
    query: Any


class Operation(msgspec.Struct, frozen=True):
    """A method and path, what it needs, takes and gives, and who handles it. OpenAPI is made from these fields.

    `status` is the usual one of an answer, `other_status` one that it may also come with.
    """

    name: str
    method: str
    path: str
    permission: Permission | None
    summary: str
    handler: Handler
    answer: Any
    body: Any = None
    query: Any = None
    status: int = 200
    other_status: int | None = None
    raw: "RawBody | None" = None
    kept: bool = False
    """Whether answers may come from the answer cache."""
    streamed: bool = False
    """Whether the handler gives server-sent events, each with an `answer` as its data."""
    routed: bool = False
    """Whether what a request says about who shall answer it is heard, and told."""
    limited: bool = True
    """Whether it counts against limits: what says how the server is must answer when nothing else can."""


class Endpoint:
    """The ASGI application of one operation."""

    def __init__(self, operation: Operation, services: Services, reception: Reception) -> None:
        self.operation = operation
        self._services = services
        self._reception = reception
        self._from_json = msgspec.json.Decoder(operation.body) if operation.body else None
        self._from_msgpack = msgspec.msgpack.Decoder(operation.body) if operation.body else None
        self._vector_api = "/vectors/" in operation.path
        self._to_json = msgspec.json.Encoder()
        self._to_msgpack = msgspec.msgpack.Encoder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.operation.limited:
            await self._answer(NOBODY, scope, receive, send)
            return
        self._reception.begin()
        try:
            caller = await self._reception.caller(scope, self.operation.permission, vector_api=self._vector_api)
            scope["vectis.admitted_at"] = perf_counter()
            await self._answer(caller, scope, receive, send)
        except VectisError as error:
            self._reception.ended_with(error, scope, self.operation.name, self.operation.permission)
            raise
        finally:
            self._reception.end()

    async def _answer(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        content_type, accept = media(scope)
        content = await read(receive, self._services.body_bytes_max) if self._from_json is not None else b""
        handler, call = self.call(caller, scope, content, content_type)
        if self.operation.routed:
            call.routing = routing_of(scope)
            if call.routing.variant:
                call.check_choice(call.body if call.query is None else call.query)
        await self._reception.record(scope, self.operation.name, self.operation.permission, call.body)
        status, out, out_type = self.encode(await handler(call), accept)
        if call.change is not None:
            await self._reception.done(scope, self.operation.name, call.body, call.change)
        if self.operation.kept:
            call.headers |= await self.offered(caller, scope, call.headers)
        await respond(send, status, out, out_type, scope["vectis.request_id"], call.headers)

    def call(self, caller: Caller, scope: Scope, content: bytes, content_type: str) -> tuple[Handler, Call]:
        """The request decoded, and who handles it. Raises MalformedBody, InvalidInput, TooLarge."""
        operation = self.operation
        handler, query_kind, body = operation.handler, operation.query, None
        if operation.raw is not None and content_type == RAW:
            handler, query_kind, body = operation.raw.handler, operation.raw.query, content
        elif self._from_json is not None:
            body = self._decode(content, content_type)
        query = None if query_kind is None else self._decode_query(scope["query_string"], query_kind)
        return handler, Call(self._services, caller, operation.permission, scope["path_params"], body, query)

    async def offered(self, caller: Caller, scope: Scope, headers: Mapping[str, str]) -> dict[str, str]:
        """The header with the id that feedback to this answer gives back, where feedback could tell variants apart."""
        if ALIAS not in headers or QUERY_ID in headers or not (routing := routing_of(scope)).sticky:
            return {}
        query_id = await self._services.feedback.offer(
            Call(self._services, caller, self.operation.permission, {}, None, None).may(headers[ALIAS]),
            route_version=int(headers[ALIAS_VERSION]),
            variant=headers[VARIANT],
            routing=routing,
        )
        return {} if query_id is None else {QUERY_ID: query_id}

    def encode(self, reply: Any, accept: str) -> tuple[int, bytes, str]:
        """Status, body and content type of an answer."""
        status, out_type = self.operation.status, ""
        if type(reply) is Reply:
            reply, status, out_type = reply.content, reply.status, reply.content_type
        if out_type:
            return status, reply, out_type
        if accept == MSGPACK:
            return status, self._to_msgpack.encode(reply), MSGPACK
        return status, self._to_json.encode(reply), JSON

    def _decode(self, content: bytes, content_type: str) -> Any:
        decoder = self._from_msgpack if content_type == MSGPACK else self._from_json
        assert decoder is not None
        try:
            return decoder.decode(content)
        except msgspec.ValidationError as error:
            raise MalformedBody(f"body: {error}; /openapi.json says what it may hold") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if not content:
                raise MalformedBody("body: empty; send an object, {} where no field is required") from None
            raise MalformedBody(f"body: not valid {content_type or JSON}: {error}") from None
        except RecursionError:
            raise MalformedBody("body: nested too deeply") from None

    def _decode_query(self, query_string: bytes, kind: Any) -> Any:
        if len(query_string) > self._services.query_bytes_max:
            raise TooLarge(
                f"query string: more than {self._services.query_bytes_max} bytes",
                maximum=self._services.query_bytes_max,
            )
        values: dict[str, str] = {}
        for name, value in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True):
            if name in values:
                raise InvalidInput(f"{name}: given twice in the query string", field=name)
            values[name] = value
        try:
            return msgspec.convert(values, kind, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"query string: {error}") from None


async def respond(
    send: Send, status: int, body: bytes, content_type: str, request_id: str, headers: dict[str, str] | None = None
) -> None:
    """Send a whole response."""
    pairs = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
    ]
    if headers:
        pairs += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def media(scope: Scope) -> tuple[str, str]:
    """The content type of a request, and MSGPACK when the answer shall be."""
    content_type = accept = ""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value.partition(b";")[0].strip().decode("latin-1").lower()
        elif name == b"accept" and b"msgpack" in value:
            accept = MSGPACK
    return content_type, accept


async def read(receive: Receive, maximum: int, *, patience_s: float = BODY_PATIENCE_S) -> bytes:
    """The whole body. TooLarge beyond `maximum`.

    MalformedBody when the connection ends before it, or when it is slower than `BODY_BYTES_PER_S` by more than `patience_s`:
    a request whose body never comes would keep its place among those at work.
    """
    message = await receive()
    body = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > maximum:
            raise _too_large(maximum)
        return body
    parts, size = [body], len(body)
    due = get_running_loop().time() + patience_s
    try:
        async with timeout_at(due) as limit:
            while message.get("more_body"):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise MalformedBody("body: the connection was closed before all of it came")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > maximum:
                    raise _too_large(maximum)
                limit.reschedule(due + size / BODY_BYTES_PER_S)
    except TimeoutError:
        raise MalformedBody(f"body: {size} bytes came, and the rest not in time; send it faster or in parts") from None
    return b"".join(parts)


def _too_large(maximum: int) -> TooLarge:
    return TooLarge(f"body: more than {maximum} bytes; send it in parts", maximum=maximum)
