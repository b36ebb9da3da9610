"""One request to an embeddings endpoint: retries, deadline, and what its answers mean. Batching is embedder.py's."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx
import msgspec
import stamina

from vectis.domain.errors import EmbedderUnavailable, InvalidSetting

ATTEMPTS_MAX = 6
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
REASON_CHARS_MAX = 300


class _Embedding(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float]


class _Embeddings(msgspec.Struct, frozen=True):
    data: list[_Embedding]


class EmbeddingsEndpoint:
    """POSTs to `base_url`/embeddings. The key is sent in a header and nowhere else; no error repeats it."""

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float, retry_wait_s: float) -> None:
        try:
            url = httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise InvalidSetting(f"{base_url!r} is no address of an embeddings endpoint: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise InvalidSetting(
                f"{base_url!r} is no address of an embeddings endpoint: it begins with http:// or https://"
            )
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._api_key = api_key
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=ATTEMPTS_MAX, timeout=None, wait_initial=retry_wait_s, wait_jitter=retry_wait_s, wait_max=10.0
        )
        self._client = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s)

    async def embed(self, body: dict[str, Any], count: int, deadline_s: float) -> list[list[float]]:
        """The `count` vectors of the texts in `body`, in their order, as the endpoint gives them.

        Timeouts, failed connections and the statuses 408, 429, 500, 502, 503 and 504 are tried again, with growing jittered
        waits or after Retry-After, within `deadline_s` in all. Raises EmbedderUnavailable for everything that goes wrong.
        """

        async def post() -> httpx.Response:  # without arguments: stamina writes those to the log
            response = await self._client.post("embeddings", json=body)
            return response.raise_for_status()

        try:
            async with asyncio.timeout(deadline_s):
                response = await self._retrying.on(partial(_wait_s, longest=deadline_s))(post)
        except TimeoutError as error:
            raise EmbedderUnavailable(f"the embeddings endpoint gave no answer within {deadline_s:g} s") from error
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response) from error
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise EmbedderUnavailable(
                f"the embeddings endpoint at {self._client.base_url.host} fails: {reason}"
            ) from error
        return _in_order(response.content, count)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _refusal(self, response: httpx.Response) -> EmbedderUnavailable:
        reason = response.text.replace(self._api_key, "***") if self._api_key else response.text
        advice = ": check the key" if response.status_code in (401, 403) else ""
        message = f"the embeddings endpoint answers {response.status_code}{advice}: {reason[:REASON_CHARS_MAX]}"
        wait_s = _retry_after_s(response)
        return EmbedderUnavailable(
            message, status=response.status_code, retry_after_s=1.0 if wait_s is None else wait_s
        )


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


def _in_order(content: bytes, count: int) -> list[list[float]]:
    try:
        answer = msgspec.json.decode(content, type=_Embeddings)
    except (msgspec.DecodeError, RecursionError) as error:  # the latter for deep nesting under a key that is not ours
        raise EmbedderUnavailable(f"the embeddings endpoint answers something else than embeddings: {error}") from error
    by_index = {item.index: item.embedding for item in answer.data}
    if len(answer.data) != count or by_index.keys() != set(range(count)):
        raise EmbedderUnavailable(
            f"the embeddings endpoint gave {len(answer.data)} vectors for {count} texts, or numbered them wrongly",
            given=len(answer.data), expected=count,
        )  # fmt: skip
    return [by_index[index] for index in range(count)]
