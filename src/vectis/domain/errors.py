"""Every error that Vectis raises on purpose, as one closed tree.

    VectisError
    ├── InvalidInput              the caller sent something that can never work
    │   ├── MalformedBody         the body is not what the route expects
    │   ├── InvalidFilter         a condition of a filter is wrong; says where
    │   ├── InvalidName           a collection, alias or document name is not allowed
    │   ├── InvalidVector         NaN, infinity, or a vector of the wrong kind
    │   ├── WrongDimension        the vector's length is not the collection's
    │   ├── EmptyQuery            nothing to search for
    │   ├── LimitExceeded         a number is beyond its maximum
    │   ├── UnreadableDocument    binary, not UTF-8, or beyond a parser's bounds
    │   ├── InvalidSetting        a configuration key or value is wrong
    │   └── Unsupported           this engine cannot do it; nothing was emulated
    ├── TooLarge                  the body or document is larger than allowed
    ├── NotFound
    │   ├── CollectionNotFound
    │   ├── DocumentNotFound
    │   ├── PointNotFound
    │   ├── JobNotFound
    │   ├── ScheduleNotFound
    │   ├── RolloutNotFound
    │   ├── PrincipalNotFound
    │   ├── RoleNotFound
    │   ├── KeyNotFound
    │   ├── SessionNotFound
    │   └── RouteNotFound         no such path on this surface
    ├── MethodNotAllowed          the path is there, but not for this method
    ├── Unauthenticated           nobody said who calls
    │   └── TokenExpired          the access token's time is over; refreshing it helps
    ├── Forbidden                 who calls is known or claimed, and may not
    │   ├── AddressNotAllowed     this address may not use the server
    │   ├── InvalidCredentials    the key, token or password is not good
    │   └── PermissionDenied      none of the caller's roles allows it
    ├── Conflict                  the state of things does not allow it
    │   ├── CollectionExists
    │   └── DataFolderInUse       another process holds the data folder; says which
    ├── DiskFull                  no space left; nothing was half-written
    └── Unavailable               may work later; carries retry_after_s
        ├── EngineUnavailable
        ├── EmbedderUnavailable
        ├── RerankerUnavailable
        ├── GeneratorUnavailable
        ├── StoreUnavailable
        ├── JobsUnavailable
        ├── DeadlineExceeded
        ├── Overloaded            too many requests are at work; this one was not begun
        └── RateLimited           too many requests came in a while

What lives here: codes, messages, fields. What does not: HTTP status, exit codes; each surface has one table for that.
"""

from typing import ClassVar


class VectisError(Exception):
    """Something that Vectis refuses or cannot do.

    `code` is stable and never changes meaning. The message says what is wrong and what to do next. `fields` are the
    structured facts (names, limits, sizes) that a program may want; their values are JSON scalars.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **fields: str | int | float | bool | None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class InvalidInput(VectisError):
    """The caller sent something that can never work."""

    code = "invalid_input"


class MalformedBody(InvalidInput):
    """The body is not what the route expects."""

    code = "malformed_body"


class InvalidFilter(InvalidInput):
    """A condition of a filter is wrong."""

    code = "invalid_filter"


class InvalidName(InvalidInput):
    """A collection, alias or document name is not allowed."""

    code = "invalid_name"


class InvalidVector(InvalidInput):
    """A vector holds NaN or infinity, or is of the wrong kind."""

    code = "invalid_vector"


class WrongDimension(InvalidInput):
    """The vector's length is not the collection's."""

    code = "wrong_dimension"


class EmptyQuery(InvalidInput):
    """There is nothing to search for."""

    code = "empty_query"


class LimitExceeded(InvalidInput):
    """A number is beyond its maximum."""

    code = "limit_exceeded"


class UnreadableDocument(InvalidInput):
    """A document is binary, not UTF-8, or beyond a parser's bounds."""

    code = "unreadable_document"


class InvalidSetting(InvalidInput):
    """A configuration key or value is wrong."""

    code = "invalid_setting"


class Unsupported(InvalidInput):
    """The engine cannot do it; nothing was emulated."""

    code = "unsupported"


class TooLarge(VectisError):
    """The body or document is larger than allowed."""

    code = "too_large"


class NotFound(VectisError):
    """What was named does not exist."""

    code = "not_found"


class CollectionNotFound(NotFound):
    """No collection or alias has this name."""

    code = "collection_not_found"


class DocumentNotFound(NotFound):
    """The collection holds no such document."""

    code = "document_not_found"


class PointNotFound(NotFound):
    """The collection holds no such point."""

    code = "point_not_found"


class JobNotFound(NotFound):
    """No job has this id."""

    code = "job_not_found"


class ScheduleNotFound(NotFound):
    """No schedule has this name."""

    code = "schedule_not_found"


class RolloutNotFound(NotFound):
    """No rollout has this id."""

    code = "rollout_not_found"


class PrincipalNotFound(NotFound):
    """No principal has this name."""

    code = "principal_not_found"


class RoleNotFound(NotFound):
    """No role has this name."""

    code = "role_not_found"


class KeyNotFound(NotFound):
    """No key has this id."""

    code = "key_not_found"


class SessionNotFound(NotFound):
    """No session has this id."""

    code = "session_not_found"


class RouteNotFound(NotFound):
    """No such path on this surface."""

    code = "route_not_found"


class MethodNotAllowed(VectisError):
    """The path is there, but not for this method."""

    code = "method_not_allowed"


class Unauthenticated(VectisError):
    """No credentials came with the request."""

    code = "unauthenticated"


class TokenExpired(Unauthenticated):
    """The access token's time is over; refreshing it helps."""

    code = "token_expired"


class Forbidden(VectisError):
    """The caller may not do this."""

    code = "forbidden"


class AddressNotAllowed(Forbidden):
    """This address may not use the server."""

    code = "address_not_allowed"


class PermissionDenied(Forbidden):
    """None of the caller's roles allows it."""

    code = "permission_denied"


class InvalidCredentials(Forbidden):
    """The key, token or password is not good."""

    code = "invalid_credentials"


class Conflict(VectisError):
    """The state of things does not allow it."""

    code = "conflict"


class CollectionExists(Conflict):
    """A collection or alias of this name exists already."""

    code = "collection_exists"


class DataFolderInUse(Conflict):
    """Another process holds the data folder."""

    code = "data_folder_in_use"


class DiskFull(VectisError):
    """No space is left; nothing was half-written."""

    code = "disk_full"


class Unavailable(VectisError):
    """It may work later: `retry_after_s` says when to try again."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: float = 1.0, **fields: str | int | float | bool | None) -> None:
        super().__init__(message, retry_after_s=retry_after_s, **fields)
        self.retry_after_s = retry_after_s


class EngineUnavailable(Unavailable):
    """The engine does not answer."""

    code = "engine_unavailable"


class EmbedderUnavailable(Unavailable):
    """The embedder does not answer, or no weights are installed."""

    code = "embedder_unavailable"


class RerankerUnavailable(Unavailable):
    """Reranking needs a model that is not there, fails or is too slow."""

    code = "reranker_unavailable"


class GeneratorUnavailable(Unavailable):
    """Writing needs a language model that is not there, fails, is too slow or has cost enough today."""

    code = "generator_unavailable"


class StoreUnavailable(Unavailable):
    """The control store does not answer."""

    code = "store_unavailable"


class JobsUnavailable(Unavailable):
    """The job queue does not answer."""

    code = "jobs_unavailable"


class DeadlineExceeded(Unavailable):
    """The work was not done within its time."""

    code = "deadline_exceeded"


class Overloaded(Unavailable):
    """Too many requests are at work; this one was not begun."""

    code = "overloaded"


class RateLimited(Unavailable):
    """Too many requests came in a while."""

    code = "rate_limited"
