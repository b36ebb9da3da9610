"""What rollouts need of other features and of the outside, as narrow ports; wiring says who serves them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from vectis.domain.access import CollectionPass
from vectis.domain.collections import Deletion
from vectis.domain.ports.control import CollectionStore, DivergenceStore, DocumentStore, JobLedger
from vectis.domain.ports.engine import PointReader, PointWriter
from vectis.domain.ports.rollouts import RolloutStore
from vectis.domain.profiles import CollectionProfile
from vectis.domain.rollouts import CandidateBuild, Hook, HookPoint, Rollout
from vectis.domain.routes import RoutePlan

IndexDocuments = Callable[[str, Sequence[str]], Awaitable[Mapping[str, int]]]
"""Makes documents of a collection searchable, by their ids; counters of what was done, `chunks` among them."""

RefitLengths = Callable[[str], Awaitable[bool]]
"""Makes the BM25 vectors of a collection for its true average length when they were made for another; whether they were."""

AskCollection = Callable[[str, str], Awaitable[list[str]]]
"""What a collection answers to a query: ids, best first."""

MeasureAnswers = Callable[
    [Mapping[str, Mapping[str, int]], Mapping[str, Sequence[str]]], Mapping[str, Mapping[str, float]]
]
"""Measure -> query -> value, from the grades of each query's answers and from the ids that were found, best first."""


Note = Callable[[str, str], None]
"""Writes to the log what happened to a rollout: its id, empty for all of them, and words."""


class RolloutParts(RolloutStore, CollectionStore, DocumentStore, DivergenceStore, JobLedger, Protocol):
    """The parts of the control store that rollouts keep and read."""


class RolloutPoints(PointReader, PointWriter, Protocol):
    """The parts of the engine that rollouts copy points with."""


class CollectionKeeping(Protocol):
    """The catalog, which promises the same."""

    async def cloned(self, source: CollectionPass, build: CandidateBuild) -> CollectionProfile:
        """The profile of a collection like another but for `build`."""
        ...

    async def clone(self, by: CollectionPass, source: CollectionPass, build: CandidateBuild) -> object:
        """Create an empty collection like another but for `build`."""
        ...

    async def optimize(self, by: CollectionPass) -> bool:
        """Build what is unindexed."""
        ...

    async def set_plan(self, by: CollectionPass, plan: RoutePlan, *, read_version: int) -> None:
        """Let an alias resolve as planned, unless it changed since it was read."""
        ...

    async def delete(self, by: CollectionPass, *, grace_minutes: float | None = None) -> Deletion:
        """Hide a collection, and remove it when the grace is over."""
        ...


class HookCaller(Protocol):
    """Asks outsiders whether a rollout may go on."""

    async def agrees(self, hook: Hook, point: HookPoint, rollout: Rollout) -> bool:
        """Whether the hook said yes in time; whatever goes wrong is a no."""
        ...
