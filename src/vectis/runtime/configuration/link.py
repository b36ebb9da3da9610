"""How other processes reach the supervisor about its configuration: JSON lines on a Unix socket that only this user can open."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from vectis.domain.errors import Conflict, InvalidSetting, NotFound, Unavailable, VectisError
from vectis.domain.shapes import Shape
from vectis.runtime.configuration.checks import Objection
from vectis.runtime.configuration.listing import Difference

LINE_BYTES_MAX = 4 << 20

T = TypeVar("T", bound=msgspec.Struct)


class ApplyRequest(Shape, frozen=True, tag="apply"):
    """Apply a configuration, or a version that was applied before.

    `text` None: the version `number`, which None makes the one before the active one. `trusted`: the caller could write the
    file itself, so values may refer to any file and command; from elsewhere only to those that the file refers to already.
    """

    author: str = ""
    description: str = ""
    text: str | None = None
    suffix: str = ".toml"
    number: int | None = None
    health_timeout_s: float = 30.0
    trusted: bool = False


class AskChange(Shape, frozen=True, tag="ask"):
    """How the last change stands; with `until_done`, once it is done."""

    until_done: bool = False


class AskValidity(Shape, frozen=True, tag="validate"):
    """Whether a start with the file as it is now, in the server's own environment, would work."""


class Validity(msgspec.Struct, frozen=True, tag="validity"):
    """What is wrong with the file as it is now, and what a start would change against what runs."""

    objections: tuple[Objection, ...]
    warnings: tuple[str, ...]
    waiting: tuple[Difference, ...]


class ChangeReport(msgspec.Struct, frozen=True, tag="change"):
    """The last change since the server was started.

    `number` is its version once it is done, `detail` why it was taken back. `file` is the active configuration, which need
    not be there. `unused` are settings of the file that have no effect, because the environment or the command line weighs
    more.
    """

    state: Literal["none", "applying", "applied", "taken_back"] = "none"
    number: int | None = None
    detail: str = ""
    file: str = ""
    unused: tuple[str, ...] = ()


class NotBegun(msgspec.Struct, frozen=True, tag="refusal"):
    """A change that was not begun."""

    code: str
    message: str


Request = ApplyRequest | AskChange | AskValidity
Answer = Callable[[Request], Awaitable[ChangeReport | Validity]]
_REFUSALS: dict[str, type[VectisError]] = {kind.code: kind for kind in (InvalidSetting, Conflict, NotFound)}


@asynccontextmanager
async def answering(path: Path, answer: Answer) -> AsyncGenerator[None]:
    """Answer on the socket while the block runs."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = msgspec.json.decode(await reader.readline(), type=Request)
            reply: ChangeReport | Validity | NotBegun = await answer(request)
        except (VectisError, msgspec.MsgspecError, ValueError) as error:
            code = error.code if isinstance(error, VectisError) else Conflict.code
            reply = NotBegun(code, str(error))
        writer.write(msgspec.json.encode(reply) + b"\n")
        writer.close()

    server = await asyncio.start_unix_server(serve, path=str(path), limit=LINE_BYTES_MAX)
    try:
        yield
    finally:
        server.close()


class SupervisorLink:
    """The supervisor as API processes and commands on its machine see it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def change(self, request: ApplyRequest | AskChange) -> ChangeReport:
        """Begin a change, or see how the last one stands.

        InvalidSetting, Conflict while another is under way, NotFound for a version; Unavailable when it does not answer.
        """
        return await self._ask(request, ChangeReport)

    async def validity(self) -> Validity:
        """Whether a start would work as things are now. Unavailable when it does not answer."""
        return await self._ask(AskValidity(), Validity)

    async def _ask(self, request: Request, kind: type[T]) -> T:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._path), limit=LINE_BYTES_MAX)
            writer.write(msgspec.json.encode(request) + b"\n")
            line = await reader.readline()
            writer.close()
        except OSError as error:
            raise Unavailable(f"the supervisor does not answer ({error.strerror}); is the server running?") from None
        if not line:
            raise Unavailable("the supervisor went away before it answered")
        reply = msgspec.json.decode(line, type=kind | NotBegun)
        if isinstance(reply, NotBegun):
            raise _REFUSALS.get(reply.code, Conflict)(reply.message)
        return reply
