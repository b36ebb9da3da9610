"""The caches as an operator sees them: what they hold and save, warmed up and cleared on demand."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from vectis.domain.access import Pass, Permission
from vectis.domain.ports.answers import AnswerCache
from vectis.domain.ports.embeddings import EmbeddingCache

ReadFigures = Callable[[], Awaitable[Mapping[str, Mapping[str, float]]]]
"""What all processes of this server count about each cache, by the cache's name."""


class Cleared(msgspec.Struct, frozen=True):
    """What was forgotten: whether answers were kept at all, and how many vectors the control store held."""

    answers: bool
    embeddings: int


class CacheDesk:
    """Looks at the caches of a server and acts on them. `answers` is None where none are kept."""

    def __init__(self, answers: AnswerCache | None, embeddings: EmbeddingCache, figures: ReadFigures) -> None:
        self._answers = answers
        self._embeddings = embeddings
        self._figures = figures

    async def figures(self, by: Pass) -> dict[str, dict[str, float]]:
        """What each cache holds and did, over all processes; `hit_ratio` where there was anything to hit."""
        by.require(Permission.VIEW_METRICS)
        return {name: _with_ratio(counts) for name, counts in (await self._figures()).items()}

    async def warm(self, by: Pass, count: int) -> int:
        """Compute the answers to the `count` most frequent recent questions of the process that is asked; gives how many.

        With a shared tier the other processes find them there.
        """
        by.require(Permission.SYSTEM_CONFIG)
        return 0 if self._answers is None else await self._answers.warm(count)

    async def clear(self, by: Pass, *, embeddings: bool) -> Cleared:
        """Forget all answers in every process and in the tier, and with `embeddings` the vectors too.

        Raises StoreUnavailable; answers are forgotten then.
        """
        by.require(Permission.SYSTEM_CONFIG)
        if self._answers is not None:
            await self._answers.clear()
        return Cleared(self._answers is not None, await self._embeddings.clear() if embeddings else 0)


def _with_ratio(counts: Mapping[str, float]) -> dict[str, float]:
    hits = sum(counts.get(name, 0.0) for name in ("hits_total", "stored_hits_total", "joined_total"))
    asked = hits + counts.get("misses_total", 0.0)
    return {**counts, "hit_ratio": hits / asked} if asked else dict(counts)
