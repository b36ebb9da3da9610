"""What the payload of the first documents adds to their scores: conditions that hold, and how recent a date is."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from vectis.domain.filters import Condition, Filter, parse_datetime
from vectis.domain.points import PointId, ScoredPoint
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.engine import PointReader
from vectis.domain.profiles import Boost, Recency
from vectis.search.scores import Prefetched

BOOSTED = 100
"""Documents that are looked at: what comes later is not lifted."""

DAY_S = 86_400


class Boosting:
    """Looks at the payload of chunks."""

    def __init__(self, reader: PointReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def prefetched(
        self, collection: str, boosts: Sequence[Boost], points: Sequence[ScoredPoint], weight: float
    ) -> list[Prefetched]:
        """One part for each boost: the points that it lifts, with 1 where its condition holds, else by their date.

        Their shares are those beside parts that weigh `weight` together.
        """
        total = weight + sum(boost.weight for boost in boosts)
        sides: list[Prefetched] = []
        for number, boost in enumerate(boosts):
            values = await self._values(collection, boost, [point.id for point in points])
            lifted = [replace(point, score=values[point.id]) for point in points if values.get(point.id)]
            lifted.sort(key=lambda point: (-point.score, str(point.id)))
            name = f"boosts[{number}]"
            sides.append(Prefetched(name, lifted, boost.weight / total, depth=len(lifted), whole=False, scaled=False))
        return sides

    async def _values(self, collection: str, boost: Boost, ids: list[PointId]) -> dict[PointId, float]:
        """By point, from 0 to 1; what is not lifted is left out or 0."""
        if boost.recent is not None:
            recent, now = boost.recent, self._clock.now()
            records = await self._reader.retrieve(collection, ids, with_payload=[recent.key])
            return {each.id: _age_worth(_at(each.payload, recent.key), recent, now) for each in records}
        when = boost.when
        assert when is not None, "a boost has exactly one of both"
        condition = Condition(must=when.must, should=when.should, must_not=when.must_not)
        of_these = Filter(must=[Condition(has_id=ids), condition])
        page = await self._reader.scroll(collection, limit=len(ids), filter=of_these, with_payload=False)
        return {each.id: 1.0 for each in page.points}


def _at(payload: object, path: str) -> object:
    """What stands at a path of keys, None when nothing does."""
    for key in path.split("."):
        payload = cast(dict[str, object], payload).get(key) if isinstance(payload, dict) else None
    return payload


def _age_worth(value: object, recent: Recency, now: datetime) -> float:
    """1 for what is of now or later, half of it for each half-life that passed, 0 without a date."""
    moment = parse_datetime(value) if isinstance(value, str) else None
    if moment is None:
        return 0.0
    age_days = max(0.0, (now - moment).total_seconds() / DAY_S)
    return 0.5 ** (age_days / recent.half_life_days)
