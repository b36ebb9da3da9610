"""A server as commands see it: JSON out, JSON in, its problems raised as the domain's errors. Finding it is connection's."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from vectis.domain.errors import DeadlineExceeded, Unavailable, VectisError

API = "/api/v1"
TIMEOUT_S = 60.0
_CARRIES = "data: "

Params = Mapping[str, str | int | None]


class Api:
    """One server behind an open HTTP client. Bodies and answers are plain JSON values."""

    def __init__(self, client: httpx.AsyncClient, where: str, credential: str = "") -> None:
        """`credential` is what the client shows, for requests that go past it."""
        self._client = client
        self.where = where
        self.credential = credential

    async def get(self, path: str, **params: str | int | None) -> Any:
        """The answer to a GET of `path` below /api/v1; params that are None are left out."""
        return await self._ask("GET", path, params=params)

    async def post(self, path: str, body: Any = None, *, timeout_s: float | None = TIMEOUT_S, **params: str) -> Any:
        """The answer to a POST; `timeout_s` None waits for ever."""
        return await self._ask("POST", path, body=body, params=params, timeout_s=timeout_s)

    async def search(self, body: Any) -> Any:
        """The answer to a search in words, made anew and not kept: what is judged or timed must be done."""
        return await self._ask("POST", "/search", body=body, headers={"cache-control": "no-cache"})

    async def put(self, path: str, body: Any) -> Any:
        """The answer to a PUT."""
        return await self._ask("PUT", path, body=body)

    async def patch(self, path: str, body: Any) -> Any:
        """The answer to a PATCH."""
        return await self._ask("PATCH", path, body=body)

    async def delete(self, path: str, **params: str | int | None) -> Any:
        """The answer to a DELETE."""
        return await self._ask("DELETE", path, params=params)

    async def events(self, path: str) -> AsyncGenerator[Any]:
        """The data of server-sent events as they come, until the server ends the stream."""
        try:
            async with self._client.stream("GET", API + path, timeout=TIMEOUT_S) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise problem(answer, self.where)
                async for line in answer.aiter_lines():
                    if line.startswith(_CARRIES):
                        yield json.loads(line.removeprefix(_CARRIES))
        except httpx.TransportError as error:
            raise Unavailable(f"{self.where} broke the stream off ({type(error).__name__}): ask again") from error

    async def health(self) -> Any:
        """What the server says of its parts, also when it is unhealthy."""
        answer = await self._answer("GET", "/health")
        if answer.status_code in (200, 503) and b'"checks"' in answer.content:
            return answer.json()
        raise problem(answer, self.where)

    async def _ask(self, method: str, path: str, **request: Any) -> Any:
        answer = await self._answer(method, path, **request)
        if answer.is_success:
            return answer.json()
        raise problem(answer, self.where)

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = TIMEOUT_S,
    ) -> httpx.Response:
        given = {key: value for key, value in (params or {}).items() if value is not None}
        try:
            return await self._client.request(
                method, API + path, json=body, params=given, headers=headers, timeout=timeout_s
            )
        except httpx.TimeoutException:
            raise DeadlineExceeded(f"{self.where} did not answer within {timeout_s:g} s") from None
        except httpx.TransportError as error:
            raise Unavailable(
                f"no answer from {self.where} ({type(error).__name__}): is the server running there?"
            ) from error


def member(of: dict[str, Any], key: str) -> dict[str, Any]:
    """The object at `key`; empty when it is absent or null."""
    return of.get(key) or {}


def path_of(*segments: str) -> str:
    """A path from its segments, each escaped; slashes stay, because ids of documents may hold some."""
    return "".join("/" + quote(segment, safe="/") for segment in segments)


def problem(answer: httpx.Response, where: str) -> VectisError:
    """The domain's error that a refusal stands for; that of a newer server keeps its code in the fields."""
    try:
        body = answer.json()
    except json.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or "code" not in body:
        kind = Unavailable if answer.status_code >= 500 else VectisError
        return kind(f"{where} answered {answer.status_code} and no problem details: is it a Vectis server?")
    told: dict[str, Any] = dict(body)  # pyright: ignore[reportUnknownArgumentType]: JSON
    code, detail = str(told["code"]), str(told.get("detail", told.get("title", "")))
    fields = {k: v for k, v in told.items() if k not in ("type", "title", "status", "detail", "code", "message")}
    known = errors_by_code().get(code)
    return known(detail, **fields) if known else VectisError(detail, code=code, **fields)


def errors_by_code() -> dict[str, type[VectisError]]:
    """Every error of the domain's tree."""
    found: dict[str, type[VectisError]] = {}
    waiting = [VectisError]
    while waiting:
        kind = waiting.pop()
        found[kind.code] = kind
        waiting += kind.__subclasses__()
    return found
