"""One connection as the HTTP parser sees it, before there is a request: what a head may take in bytes and in time."""

from asyncio import TimerHandle
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BESIDE_BODY_BYTES_MAX = 65_536
"""What may come beside bodies: heads, the framing of chunks, trailers. Each byte of a body allows one more for its framing."""


class BoundedConnection(HttpToolsProtocol):
    """Closes a connection whose head is too large, with 400, or does not come to its end in time.

    The parser under it keeps whatever comes until a head is complete, and waits for that without end; no request exists
    until then that limits could count.
    """

    head_s_max: ClassVar[float] = 30.0

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._beside_body = 0
        self._head_due: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > BESIDE_BODY_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response(f"More than {BESIDE_BODY_BYTES_MAX} bytes beside the body.")
        elif not self.cycle or self.cycle.response_complete:
            self._await_head()
        else:
            self._head_came()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._beside_body = 0

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._beside_body -= 2 * len(body)

    def _await_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.head_s_max, self.timeout_keep_alive_handler)

    def _head_came(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
