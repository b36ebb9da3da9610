"""Which payload keys a candidate has lost or gained, by the share of what carries them."""

from collections import Counter
from collections.abc import Mapping
from math import sqrt
from typing import NamedTuple

from vectis.domain.documents import DOCUMENT_ID
from vectis.domain.judgements import MetricJudgement, Verdict, known_figures
from vectis.domain.points import PointId
from vectis.domain.ports.engine import PointReader

LOSS_TOLERANCE = 0.10
"""By how much the share of documents, or points, that carry a key may be lower."""

POINTS_MAX = 5000
POINTS_PER_PAGE = 250
SIGMAS = 3.0
KEYS_NAMED = 5


class CarriedKeys(NamedTuple):
    """The share of documents (of points where there are none) that carry each key; how many were looked at, and whether all."""

    shares: Mapping[str, float]
    looked_at: int
    all: bool


async def compare_payloads(points: PointReader, stable: str, candidate: str) -> MetricJudgement:
    """Failed when a key is carried by a smaller share of documents (points where there are none) in the candidate.

    Up to 5000 points of each are looked at; where there are more, three standard errors of the difference of two shares are
    allowed besides. Raises CollectionNotFound, EngineUnavailable.
    """
    before, after = await carried_keys(points, stable), await carried_keys(points, candidate)
    lost = {key: share - after.shares.get(key, 0.0) for key, share in before.shares.items()}
    beyond = {key: loss for key, loss in lost.items() if loss > LOSS_TOLERANCE + _error(key, before, after)}
    gained = sorted(after.shares.keys() - before.shares.keys())
    parts = [
        f"{what} {', '.join(repr(key[:80]) for key in keys[:KEYS_NAMED])}"
        for what, keys in (("lost or rarer:", sorted(beyond)), ("gained:", gained))
        if keys
    ]
    return known_figures(
        "payload_keys",
        Verdict.FAILED if beyond else Verdict.SUCCESSFUL,
        "; ".join(parts) or f"the {len(before.shares)} keys are carried as before",
        samples=after.looked_at,
        stable=len(before.shares),
        candidate=len(after.shares),
        worsening=max(lost.values(), default=0.0),
    )


async def carried_keys(points: PointReader, collection: str) -> CarriedKeys:
    """Of the first 5000 points, or a few more, in the order of ids; chunks of one document count once.

    Raises CollectionNotFound, EngineUnavailable.
    """
    found: dict[PointId, set[str]] = {}
    seen, offset = 0, None
    while True:
        page = await points.scroll(collection, limit=POINTS_PER_PAGE, offset=offset)
        for record in page.points:
            payload = record.payload or {}
            found.setdefault(payload.get(DOCUMENT_ID, record.id), set()).update(payload)
        seen, offset = seen + len(page.points), page.next_offset
        if offset is None or seen >= POINTS_MAX:
            break
    carried = Counter(key for keys in found.values() for key in keys)
    return CarriedKeys({key: count / len(found) for key, count in carried.items()}, len(found), offset is None)


def _error(key: str, before: CarriedKeys, after: CarriedKeys) -> float:
    """Three standard errors of the difference of two shares, pooled; 0 where everything was looked at."""
    if (before.all and after.all) or not after.looked_at:
        return 0.0
    looked_at = before.looked_at + after.looked_at
    share = (before.shares[key] * before.looked_at + after.shares.get(key, 0.0) * after.looked_at) / looked_at
    return SIGMAS * sqrt(share * (1 - share) * (1 / before.looked_at + 1 / after.looked_at))
