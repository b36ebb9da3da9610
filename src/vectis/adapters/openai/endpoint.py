"""One request to an endpoint of a model: retries, deadline, and what its failures mean. What is asked is its neighbours'."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx
import stamina

from vectis.domain.errors import InvalidSetting, Unavailable

ATTEMPTS_MAX = 6
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
REASON_CHARS_MAX = 300
ANSWER_BYTES_MAX = 32 * 2**20
"""More than twice what 128 vectors of 4,096 numbers take; whoever sends more would fill the memory."""


class ModelEndpoint:
    """POSTs below `base_url`. The key is sent in a header and nowhere else; no error repeats it.

    `what` the endpoint gives (embeddings) is how messages call it, `failure` what they are raised as.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        what: str,
        failure: type[Unavailable],
        timeout_s: float,
        retry_wait_s: float,
    ) -> None:
        try:
            url = httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise InvalidSetting(f"{base_url!r} is no address of {_article(what)} endpoint: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise InvalidSetting(
                f"{base_url!r} is no address of {_article(what)} endpoint: it begins with http:// or https://"
            )
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._what, self._failure = what, failure
        self._api_key = api_key
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=ATTEMPTS_MAX, timeout=None, wait_initial=retry_wait_s, wait_jitter=retry_wait_s, wait_max=10.0
        )
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s)

    async def post(self, path: str, body: dict[str, Any], deadline_s: float) -> bytes:
        """What the endpoint answers `body` at `path` with.

        Timeouts, failed connections and the statuses 408, 429, 500, 502, 503 and 504 are tried again, with growing jittered
        waits or after Retry-After, within `deadline_s` in all. Raises `failure` for everything that goes wrong, also for an
        answer of more than ANSWER_BYTES_MAX.
        """

        if self._client.is_closed:
            raise self._failure(f"the {self._what} endpoint is not asked any more because the server is stopping")

        said = bytearray()

        async def post() -> None:  # without arguments: stamina writes those to the log
            said.clear()
            async with self._client.stream("POST", path, json=body) as response:
                async for piece in response.aiter_bytes():
                    said.extend(piece)
                    if len(said) > ANSWER_BYTES_MAX:
                        raise self._failure(
                            f"the {self._what} endpoint answers with more than {ANSWER_BYTES_MAX} bytes"
                        )
            response.raise_for_status()

        try:
            async with asyncio.timeout(deadline_s):
                await self._retrying.on(partial(_wait_s, longest=deadline_s))(post)
        except TimeoutError as error:
            raise self._failure(f"the {self._what} endpoint gave no answer within {deadline_s:g} s") from error
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response, said.decode("utf-8", "replace")) from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise self._failure(f"the {self._what} endpoint at {self._client.base_url.host} fails: {reason}") from error
        return bytes(said)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _refusal(self, response: httpx.Response, text: str) -> Unavailable:
        reason = text.replace(self._api_key, "***") if self._api_key else text
        advice = {401: ": check the key", 403: ": check the key", 404: f" at {response.request.url.path}"}
        status = response.status_code
        message = f"the {self._what} endpoint answers {status}{advice.get(status, '')}: {reason[:REASON_CHARS_MAX]}"
        wait_s = _retry_after_s(response)
        return self._failure(message, status=status, retry_after_s=1.0 if wait_s is None else wait_s)


def _wait_s(error: Exception, longest: float) -> bool | float:
    """Whether to try again, and when as far as the endpoint says; not when that is beyond `longest`."""
    if not isinstance(error, httpx.HTTPStatusError):
        return isinstance(error, httpx.TransportError)
    if error.response.status_code not in RETRIED_STATUSES:
        return False
    wait_s = _retry_after_s(error.response)
    if wait_s is None:
        return True
    return wait_s if wait_s < longest else False


def _retry_after_s(response: httpx.Response) -> float | None:
    """Retry-After as seconds from now, given as seconds or as a date (RFC 9110, 10.2.3); None when absent or neither."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _article(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
