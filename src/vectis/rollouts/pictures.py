"""A rollout at one moment, as people on call look at it: where it stands, what the variants answered, what was judged."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from vectis.domain.evidence import VariantTick
from vectis.domain.judgements import Judgement
from vectis.domain.ports.control import CollectionStore
from vectis.domain.ports.rollouts import RolloutStore
from vectis.domain.ports.traffic import TrafficStore
from vectis.domain.rollouts import SETTLED, Rollout, Step, Transition
from vectis.domain.routes import Route
from vectis.domain.traffic import VariantFigures, added, added_up, figures_of, settled_before

TRANSITIONS_SHOWN = 10


class PictureParts(RolloutStore, CollectionStore, TrafficStore, Protocol):
    """The parts of the control store that a picture is made of."""


class RolloutPicture(msgspec.Struct, frozen=True):
    """Where a rollout stands, the alias's route, what each variant answered under that route, what was judged last of each in
    this stage, and the last transitions, oldest first."""

    rollout: Rollout
    route: Route | None
    figures: dict[str, VariantFigures]
    judgements: dict[str, Judgement]
    transitions: list[Transition]


class Onlooker:
    """Takes pictures of one rollout after each other. Ticks of the traffic that were added up before are not read again."""

    def __init__(self, store: PictureParts) -> None:
        self._store = store
        self._version = 0
        self._since: datetime | None = None
        self._sums: dict[str, VariantTick] = {}
        self._keys: set[int] = set()

    async def look(self, rollout: Rollout, now: datetime) -> RolloutPicture:
        """The picture of now. Of an ended rollout the route and the traffic may be those of another one, so it shows none."""
        transitions = await self._store.transitions(rollout.id)
        judgements = await self._store.judgements(rollout.id)
        route = None if rollout.step in SETTLED else (await self._store.routes()).get(rollout.spec.alias)
        if route is not None:
            await self._add_up(route, since=rollout.created_at, before=settled_before(now))
        return RolloutPicture(
            rollout=rollout,
            route=route,
            figures={} if route is None else {variant: figures_of(tick) for variant, tick in self._sums.items()},
            judgements=judged_last((rollout.step, rollout.stage), transitions, judgements),
            transitions=transitions[-TRANSITIONS_SHOWN:],
        )

    async def _add_up(self, route: Route, *, since: datetime, before: datetime) -> None:
        if route.version != self._version:
            self._version, self._since, self._sums, self._keys = route.version, since, {}, set()
        reports = await self._store.traffic(route.alias, route.version, since=self._since or since, before=before)
        for variant, tick in added_up(reports, self._keys).items():
            self._sums[variant] = added(self._sums.get(variant, VariantTick()), tick)
        self._since = before


def judged_last(
    place: tuple[Step, int], transitions: Sequence[Transition], judgements: Mapping[int, Mapping[str, Judgement]]
) -> dict[str, Judgement]:
    """Of the judgements, by generation and variant, the last ones of this step and stage, by variant."""
    here = {each.generation for each in transitions if (each.step, each.stage) == place}
    found: dict[str, Judgement] = {}
    for generation, judged in judgements.items():
        if generation in here:
            found.update(judged)
    return found
