"""Where rollouts and their histories are kept. Every method is one transaction and may raise StoreUnavailable."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from vectis.domain.judgements import Judgement
from vectis.domain.rollouts import Phase, Rollout, Transition


class RolloutStore(Protocol):
    """Rollouts, each with every change it went through. Of one alias at most one is under way (before the step `grace`)."""

    async def add_rollout(self, rollout: Rollout, *, by: str) -> None:
        """Keep a rollout that begins. Conflict when the id is taken or another of its alias is under way; DiskFull."""
        ...

    async def keep_rollout(self, rollout: Rollout, *, by: str, now: datetime) -> bool:
        """Replace the generation before this one, and note the transition; False, and nothing written, when it is not there.

        Conflict when it would be under way again although its alias has a newer rollout. DiskFull.
        """
        ...

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """None on absence."""
        ...

    async def rollouts(self, *, limit: int, alias: str | None = None) -> list[Rollout]:
        """Newest first, optionally of one alias."""
        ...

    async def unfinished_rollouts(self) -> list[Rollout]:
        """Those that are not done, oldest first."""
        ...

    async def transitions(self, rollout_id: str) -> list[Transition]:
        """Every change of the rollout in order, the first of them its beginning; empty on absence."""
        ...

    async def switches(self) -> dict[tuple[str, Phase], int]:
        """How often an alias was moved for good, by the alias and the phase of the rollout then."""
        ...

    async def keep_judgements(self, rollout_id: str, generation: int, judgements: Mapping[str, Judgement]) -> None:
        """The latest judgements of a rollout while it is of this generation, by variant; nothing happens when it is not there."""
        ...

    async def judgements(self, rollout_id: str) -> dict[int, dict[str, Judgement]]:
        """The latest judgements by generation, in order, and by variant; empty on absence."""
        ...

    async def lead_rollouts(self, worker: str, *, now: datetime, until: datetime) -> bool:
        """Whether this worker is the one that moves rollouts on, until a time; another may be when the time is over."""
        ...
