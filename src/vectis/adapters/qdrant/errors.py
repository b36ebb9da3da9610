"""The one table from the client's and the server's errors to those of the domain. Nothing else in this folder raises for them."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import grpc
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from vectis.domain import errors

CLIENT_ERRORS = (
    UnexpectedResponse,
    ResponseHandlingException,
    ResourceExhaustedResponse,
    grpc.RpcError,
    ValueError,
)
"""All that qdrant-client raises for a call: HTTP, gRPC, and what it refuses itself (local mode included)."""


class Failure(NamedTuple):
    """What went wrong, in the server's words: the HTTP status (gRPC codes are mapped to it) and the message."""

    status: int
    message: str
    retry_after_s: float = 1.0


_BY_MESSAGE: tuple[tuple[re.Pattern[str], type[errors.VectisError], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), error, advice)
    for pattern, error, advice in (
        (r"collection .*(not found|doesn't exist)", errors.CollectionNotFound, "create it, or list what there is"),
        (r"(collection|alias) .*already exists", errors.CollectionExists, "drop it first, or choose another name"),
        (r"dimension error: expected dim: (?P<expected>\d+), got (?P<given>\d+)", errors.WrongDimension, ""),
        # how numpy says it in the client's local mode
        (r"shapes \(\d+,(?P<expected>\d+)\) and \((?P<given>\d+),\)", errors.WrongDimension, ""),
        (r"not existing vector name|vector.*(is not found|does not exist)", errors.InvalidVector, "see the schema"),
        (r"conversion between sparse and|indices.*(unique|same length)", errors.InvalidVector, "see the schema"),
        (r"json.?path|invalid path", errors.InvalidFilter, "payload paths are like a.b, a[].b or a[0]"),
        (r"no space left|not enough space|disk (is )?full", errors.DiskFull, "free space where Qdrant keeps its data"),
    )
)

_BY_STATUS: dict[int, tuple[type[errors.VectisError], str]] = {
    400: (errors.InvalidInput, ""),
    401: (errors.EngineUnavailable, "check the API key of the Qdrant server"),
    403: (errors.EngineUnavailable, "check what the API key of the Qdrant server may do"),
    404: (errors.CollectionNotFound, "create it, or list what there is"),
    408: (errors.DeadlineExceeded, "try again, or raise the timeout"),
    409: (errors.CollectionExists, "drop it first, or choose another name"),
    413: (errors.TooLarge, "send fewer points at once"),
    422: (errors.InvalidInput, ""),
    429: (errors.EngineUnavailable, "the server asks to slow down"),
    501: (errors.Unsupported, "use a newer Qdrant server"),
    504: (errors.DeadlineExceeded, "try again, or raise the timeout"),
    507: (errors.DiskFull, "free space where Qdrant keeps its data"),
}

_GRPC_STATUS: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_UNREACHABLE = 503


@contextmanager
def translated() -> Generator[None]:
    """Turn every error of the client inside the block into one of the domain, its cause kept."""
    try:
        yield
    except CLIENT_ERRORS as e:
        raise to_domain(failure(e)) from e


def failure(error: Exception) -> Failure:
    """What a client error says, whichever way it came."""
    if isinstance(error, UnexpectedResponse):
        return Failure(error.status_code or _UNREACHABLE, _response_message(error))
    if isinstance(error, ResourceExhaustedResponse):
        return Failure(429, str(error), float(error.retry_after_s))
    if isinstance(error, grpc.RpcError):
        call = cast("grpc.Call", error)
        return Failure(_GRPC_STATUS.get(call.code(), _UNREACHABLE), str(call.details()))
    if isinstance(error, ValueError):
        return Failure(400, str(error))
    return Failure(_UNREACHABLE, f"no answer: {error!r}")


def to_domain(failed: Failure) -> errors.VectisError:
    """The domain error: by what the message says, else by its status, else EngineUnavailable."""
    error, advice = _BY_STATUS.get(failed.status, (errors.EngineUnavailable, "see the log of the Qdrant server"))
    fields: dict[str, int] = {}
    for pattern, by_message, its_advice in _BY_MESSAGE:
        if found := pattern.search(failed.message):
            error, advice = by_message, its_advice
            fields = {name: int(value) for name, value in found.groupdict().items()}
            break
    text = f"qdrant: {failed.message.strip()[:500]}" + (f" ({advice})" if advice else "")
    if issubclass(error, errors.Unavailable):
        return error(text, retry_after_s=failed.retry_after_s)
    return error(text, **fields)


def _response_message(response: UnexpectedResponse) -> str:
    try:
        body = cast("dict[str, Any]", json.loads(response.content))
        return str(body["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason_phrase}"
