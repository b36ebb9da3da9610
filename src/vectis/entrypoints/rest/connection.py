"""One connection as the HTTP parser sees it, before there is a request: what may come until one has begun, and how long."""

from asyncio import TimerHandle
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BESIDE_BODY_BYTES_MAX = 65_536
"""What may come beside bodies: heads, the framing of chunks, trailers. Each byte of a body allows one more for its framing."""


class BoundedConnection(HttpToolsProtocol):
    """Closes a connection whose head is too large, with 400, or on which no request begins in time: a head and, where a body
    follows, the first of it. How long the rest of a body may take is reading's.

    The parser under it keeps whatever comes until a head is complete, and waits for that without end; no request exists
    until then that limits could count.
    """

    begin_s_max: ClassVar[float] = 30.0

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._beside_body = 0
        self._due: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_beginning()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > BESIDE_BODY_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response(f"More than {BESIDE_BODY_BYTES_MAX} bytes beside the body.")
        elif not self._begun():
            self._await_beginning()
        else:
            self._stop_waiting()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._beside_body = 0

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._beside_body -= 2 * len(body)

    def _begun(self) -> bool:
        cycle = self.cycle
        return bool(cycle) and not cycle.response_complete and (bool(cycle.body) or not cycle.more_body)

    def _await_beginning(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(self.begin_s_max, self.timeout_keep_alive_handler)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
