"""The OpenAPI 3.1 document, made from the operations and their structs. tests/contracts holds the committed snapshot."""

import re
from functools import cache
from inspect import cleandoc
from typing import Any

import msgspec

from vectis import __version__
from vectis.entrypoints.rest.answers import Problem
from vectis.entrypoints.rest.operation import EVENTS, JSON, MSGPACK, RAW, TEXT, Operation
from vectis.entrypoints.rest.routes import OPERATIONS
from vectis.entrypoints.rest.variants import ROUTING

_REFUSALS = {
    400: "The body is not what the route expects",
    401: "No credentials came with the request",
    403: "The address may not come in, the credentials are not valid, or their roles do not have the permission",
    404: "What was named does not exist",
    409: "The state of things does not allow it",
    413: "The body or the query string is too large",
    422: "What was asked can never work; the detail says why and what to do",
    429: "Too many requests; the headers say when to try again",
    500: "A fault of the server; its log says more under the request id",
    503: "A part that is needed does not answer; may work later",
    504: "Not done within its time",
    507: "The disk is full; nothing was half-written",
}

_PARAMETER = re.compile(r"{(\w+)(?::path)?}")


@cache
def document() -> bytes:
    """The document as JSON, keys in a stable order."""
    types = [kind for op in OPERATIONS for kind in _types(op)]
    _, components = msgspec.json.schema_components([*types, Problem], ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = _PARAMETER.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation)
    content = {
        "openapi": "3.1.0",
        "info": {
            "title": "Vectis",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: _without_indentation(schema) for name, schema in components.items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }
    return msgspec.json.encode(content, order="deterministic")


def _without_indentation(schema: dict[str, Any]) -> dict[str, Any]:
    """Docstrings lose their indentation when Python 3.13 compiles them, and here for those before."""
    if "description" not in schema:
        return schema
    return {**schema, "description": cleandoc(schema["description"])}


def _types(operation: Operation) -> list[Any]:
    kinds = [operation.body, operation.query, operation.answer, operation.raw.query if operation.raw else None]
    return [kind for kind in kinds if kind is not None and kind is not bytes]


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
        "security": [],
    }
    if operation.permission is not None:
        described["x-permission"] = operation.permission
        described["security"] = [{"bearer": []}, {"key": []}]
    if operation.body is not None:
        content: dict[str, Any] = {media: {"schema": _reference(operation.body)} for media in (JSON, MSGPACK)}
        if operation.raw is not None:
            content[RAW] = {"schema": {"type": "string", "format": "binary", "description": "little-endian float32"}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    """Each status that an operation of this kind may answer with."""
    refusals = {403, 500, 503}
    if operation.limited:
        refusals.add(429)
    if operation.permission is not None:
        refusals |= {401, 504}
    if operation.method != "GET":
        refusals |= {409, 507}
    if operation.body is not None:
        refusals |= {400, 404, 413, 422}
    if operation.query is not None:
        refusals |= {413, 422}
    if "{" in operation.path:
        refusals |= {404, 422}
    problem = {"application/problem+json": {"schema": _reference(Problem)}}
    refused = {status: {"description": _REFUSALS[status], "content": problem} for status in refusals}
    done = {"description": "Done", "content": _answer(operation)}
    answered = {status: done for status in (operation.status, operation.other_status) if status is not None}
    return {str(status): response for status, response in sorted((refused | answered).items())}


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.answer is bytes:
        return {TEXT.partition(";")[0]: {"schema": {"type": "string"}}}
    if operation.streamed:
        said = f"events `{operation.answer.__name__}`, the data of each a value of that schema as JSON"
        return {EVENTS: {"schema": {"type": "string", "description": said}}}
    return {media: {"schema": _reference(operation.answer)} for media in (JSON, MSGPACK)}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(operation.path)
    ]
    for kind, needed in ((operation.query, True), (operation.raw.query if operation.raw else None, False)):
        if kind is None:
            continue
        schema = msgspec.json.schema(kind)["$defs"][kind.__name__]
        for name, field in schema["properties"].items():
            required = needed and name in schema.get("required", ())
            found.append({"name": name, "in": "query", "required": required, "schema": field})
    if operation.routed:
        found += [
            {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": says}
            for name, says in ROUTING.items()
        ]
    return found


def _reference(kind: Any) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
