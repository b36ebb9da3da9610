"""Errors as problem+json (RFC 9457): the one table from error class to HTTP status."""

import msgspec

from vectis.domain import errors
from vectis.domain.access import Caller

STATUS: dict[type[errors.VectisError], int] = {
    errors.InvalidInput: 422,
    errors.MalformedBody: 400,
    errors.InvalidFilter: 422,
    errors.InvalidName: 422,
    errors.InvalidVector: 422,
    errors.WrongDimension: 422,
    errors.EmptyQuery: 422,
    errors.LimitExceeded: 422,
    errors.UnreadableDocument: 422,
    errors.InvalidSetting: 422,
    errors.Unsupported: 422,
    errors.TooLarge: 413,
    errors.NotFound: 404,
    errors.CollectionNotFound: 404,
    errors.DocumentNotFound: 404,
    errors.PointNotFound: 404,
    errors.JobNotFound: 404,
    errors.ScheduleNotFound: 404,
    errors.RolloutNotFound: 404,
    errors.PrincipalNotFound: 404,
    errors.RoleNotFound: 404,
    errors.KeyNotFound: 404,
    errors.SessionNotFound: 404,
    errors.RouteNotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.Unauthenticated: 401,
    errors.TokenExpired: 401,
    errors.Forbidden: 403,
    errors.AddressNotAllowed: 403,
    errors.PermissionDenied: 403,
    errors.InvalidCredentials: 403,
    errors.Conflict: 409,
    errors.CollectionExists: 409,
    errors.DataFolderInUse: 409,
    errors.DiskFull: 507,
    errors.Unavailable: 503,
    errors.EngineUnavailable: 503,
    errors.EmbedderUnavailable: 503,
    errors.RerankerUnavailable: 503,
    errors.GeneratorUnavailable: 503,
    errors.StoreUnavailable: 503,
    errors.JobsUnavailable: 503,
    errors.DeadlineExceeded: 504,
    errors.Overloaded: 503,
    errors.RateLimited: 429,
}

INTERNAL = "internal_error"


def problem(error: errors.VectisError, request_id: str, caller: Caller) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and extra headers for an error that Vectis raised on purpose, names in it as the caller writes them."""
    status = STATUS[type(error)]
    fields = {name: caller.own_words(v) if isinstance(v, str) else v for name, v in error.fields.items()}
    body: dict[str, object] = {
        **fields,
        "type": f"urn:vectis:error:{error.code}",
        "title": (type(error).__doc__ or error.code).strip().splitlines()[0],
        "status": status,
        "detail": caller.own_words(error.message),
        "code": error.code,
        "request_id": request_id,
    }
    headers: dict[str, str] = {}
    if isinstance(error, errors.Unavailable):
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    if isinstance(error, errors.MethodNotAllowed):
        headers["allow"] = str(error.fields["allowed"])
    return status, msgspec.json.encode(body), headers


def internal_problem(request_id: str) -> bytes:
    """The body for a bug: says nothing of its inside, only where to look."""
    return msgspec.json.encode(
        {
            "type": f"urn:vectis:error:{INTERNAL}",
            "title": "A fault of the server",
            "status": 500,
            "detail": f"the server failed; its log says why under request id {request_id}",
            "code": INTERNAL,
            "request_id": request_id,
        }
    )
