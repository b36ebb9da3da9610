"""Every way in which qdrant-client fails becomes one error of the domain, as a server words it by HTTP and by gRPC."""

import json

import grpc
import httpx
import pytest
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from vectis.adapters.qdrant.errors import failure, to_domain, translated
from vectis.domain import errors


def by_http(status: int, message: str) -> UnexpectedResponse:
    body = json.dumps({"status": {"error": message}, "time": 0.1}).encode()
    return UnexpectedResponse(status, "reason", body, httpx.Headers())


def by_grpc(code: grpc.StatusCode, message: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=message)


CASES = [
    (by_http(404, "Not found: Collection `docs` doesn't exist!"), errors.CollectionNotFound),
    (by_grpc(grpc.StatusCode.NOT_FOUND, "Not found: Collection `docs` doesn't exist!"), errors.CollectionNotFound),
    (ValueError("Collection docs not found"), errors.CollectionNotFound),
    (by_http(409, "Wrong input: Collection `docs` already exists!"), errors.CollectionExists),
    (
        by_grpc(grpc.StatusCode.INVALID_ARGUMENT, "Wrong input: Collection `docs` already exists!"),
        errors.CollectionExists,
    ),
    (by_http(400, "Wrong input: Vector dimension error: expected dim: 4, got 3"), errors.WrongDimension),
    (
        by_grpc(grpc.StatusCode.INVALID_ARGUMENT, "Wrong input: Vector dimension error: expected dim: 4, got 3"),
        errors.WrongDimension,
    ),
    (by_http(400, "Wrong input: Not existing vector name error: nope"), errors.InvalidVector),
    (by_http(400, "Wrong input: Conversion between sparse and regular vectors failed"), errors.InvalidVector),
    (by_http(422, "Validation error in JSON body: [points[0].vector.indices: must be unique]"), errors.InvalidVector),
    (by_http(400, "Format error in JSON body: Invalid json path: 'a..b'"), errors.InvalidFilter),
    (by_http(400, "Wrong input: something else"), errors.InvalidInput),
    (by_http(422, "Validation error in JSON body"), errors.InvalidInput),
    (by_http(413, "Payload too large"), errors.TooLarge),
    (by_http(500, "Service internal error: No space left on device"), errors.DiskFull),
    (by_http(500, "Service internal error: task panicked"), errors.EngineUnavailable),
    (by_http(503, "Service unavailable"), errors.EngineUnavailable),
    (by_http(401, "Must provide an API key"), errors.EngineUnavailable),
    (by_grpc(grpc.StatusCode.PERMISSION_DENIED, "Forbidden"), errors.EngineUnavailable),
    (by_grpc(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses"), errors.EngineUnavailable),
    (by_grpc(grpc.StatusCode.INTERNAL, "Service internal error"), errors.EngineUnavailable),
    (by_grpc(grpc.StatusCode.CANCELLED, "cancelled"), errors.EngineUnavailable),
    (by_grpc(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"), errors.DeadlineExceeded),
    (by_http(408, "Timeout: Operation timed out"), errors.DeadlineExceeded),
    (by_grpc(grpc.StatusCode.UNIMPLEMENTED, "unknown method"), errors.Unsupported),
    (UnexpectedResponse(502, "Bad Gateway", b"<html>", httpx.Headers()), errors.EngineUnavailable),
    (UnexpectedResponse(None, "", b"[]", httpx.Headers()), errors.EngineUnavailable),
    (ResponseHandlingException(httpx.ConnectError("refused")), errors.EngineUnavailable),
    (ResourceExhaustedResponse("slow down", 7), errors.EngineUnavailable),
    (ValueError("limit value 0 is invalid"), errors.InvalidInput),
]


@pytest.mark.parametrize(("error", "expected"), CASES, ids=[f"{i}-{e.__name__}" for i, (_, e) in enumerate(CASES)])
def test_translation(error: Exception, expected: type[errors.VectisError]) -> None:
    with pytest.raises(errors.VectisError) as caught, translated():
        raise error
    assert type(caught.value) is expected
    assert caught.value.__cause__ is error
    assert caught.value.message.startswith("qdrant: ")


def test_every_grpc_code_becomes_something() -> None:
    for code in grpc.StatusCode:
        assert isinstance(to_domain(failure(by_grpc(code, "said"))), errors.VectisError)


def test_what_a_program_needs_is_in_the_fields() -> None:
    wrong = to_domain(failure(by_http(400, "Wrong input: Vector dimension error: expected dim: 4, got 3")))
    assert wrong.fields == {"expected": 4, "given": 3}
    busy = to_domain(failure(ResourceExhaustedResponse("slow down", 7)))
    assert isinstance(busy, errors.Unavailable)
    assert busy.retry_after_s == 7


def test_our_own_errors_pass_through() -> None:
    with pytest.raises(errors.InvalidFilter), translated():
        raise errors.InvalidFilter("filter: wrong")
