"""Whole answers kept under the question that was asked, in the process and in a tier that processes share."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

import msgspec

from vectis.domain.routes import Routing


class KeptAnswer(msgspec.Struct, frozen=True, array_like=True):
    """An answer as its surface encoded it.

    `made_at` is when, in Unix seconds, `took_s` how long it took; `mode` and `results` are what a measurement tells of it,
    `headers` what its surface says beside it.
    """

    body: bytes
    content_type: str
    made_at: float
    took_s: float
    mode: str
    results: int
    headers: dict[str, str] = {}


class Question(NamedTuple):
    """A question as bytes: what may differ between two that must not share an answer.

    `form` says how it was asked and is answered, `tenant` whose names it uses; `variant` answers it, empty for
    the first of a route.
    """

    form: str
    tenant: str
    query_string: bytes
    content: bytes
    variant: str = ""


class Served(NamedTuple):
    """An answer, and whether it was kept before."""

    answer: KeptAnswer
    kept: bool


Compute = Callable[[Routing], Awaitable[tuple[KeptAnswer, bool]]]
"""Makes the answer as a request of this routing gets it, and says whether it may be kept: a degraded one may not.

Raises what answering raises."""


class AnswerCache(Protocol):
    """Answers that are exactly as old as the last write: one that is served is what would be computed now."""

    def name_in(self, asked: Question) -> str | None:
        """The collection or alias that the question names, as its caller wrote it, when that is known without decoding."""
        ...

    async def answer(self, asked: Question, name: str, full_name: str, routing: Routing, compute: Compute) -> Served:
        """The kept answer, or the one that `compute` makes; of several who ask the same at once one computes.

        `full_name` is `name` within its tenant; the variant in `asked` is filled in here. Raises CollectionNotFound,
        InvalidInput for a variant that there is not, and what `compute` raises, which is never kept.
        """
        ...

    async def warm(self, count: int) -> int:
        """Compute the answers to the `count` most frequent recent questions that are not answered by the cache now."""
        ...

    async def clear(self) -> None:
        """Make every process forget its answers, and no tier answer with them."""
        ...


class AnswerTier(Protocol):
    """A cache that processes share. It may vanish, hang or answer garbage at any time: that is a miss and a count."""

    async def get(self, key: str) -> bytes | None:
        """None on a miss, within milliseconds whatever happens."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Keep it as far as that goes; returns at once."""
        ...
