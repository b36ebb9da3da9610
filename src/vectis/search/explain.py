"""Why a hit stands where it stands: its place in each prefetch, and what each place added to the fused score. Pure."""

from collections.abc import Sequence
from statistics import fmean, stdev

from vectis.domain.points import PointId, ScoredPoint
from vectis.domain.queries import Dbsf, EngineQuery, Fusion, Rrf
from vectis.search.requests import Place, Reasons


class Explainer:
    """Knows the answers of each prefetch of a query, in the order of its prefetches."""

    def __init__(self, query: EngineQuery, lists: Sequence[Sequence[ScoredPoint]]) -> None:
        self._fusion = query.fusion
        self._places: dict[PointId, dict[str, Place]] = {}
        self._shares: dict[PointId, dict[str, float]] = {}
        for number, (nearest, points) in enumerate(zip(query.prefetches, lists, strict=True)):
            shares = _shares(query.fusion, number, [point.score for point in points])
            for rank, point in enumerate(points, start=1):
                self._places.setdefault(point.id, {})[nearest.using] = Place(rank=rank, score=point.score)
                if shares:
                    self._shares.setdefault(point.id, {})[nearest.using] = shares[rank - 1]

    def reasons(self, point_id: PointId) -> Reasons:
        """How this point got its score."""
        return Reasons(
            places=self._places.get(point_id, {}),
            fusion=_text(self._fusion),
            contributions=self._shares.get(point_id, {}),
        )


def _shares(fusion: Fusion | None, prefetch: int, scores: Sequence[float]) -> list[float]:
    """What each place of a prefetch adds to the fused score, by the formulas of Rrf and Dbsf; empty without fusion."""
    match fusion:
        case None:
            return []
        case Rrf(k, weights):
            weight = weights[prefetch] if weights else 1.0
            return [1 / (rank / weight + k - 1) for rank in range(1, len(scores) + 1)]
        case Dbsf():
            spread = stdev(scores) if len(scores) > 1 else 0.0
            mean = fmean(scores) if scores else 0.0
            return [(score - mean) / (6 * spread) + 0.5 if spread else 0.5 for score in scores]


def _text(fusion: Fusion | None) -> str:
    match fusion:
        case None:
            return "none: one prefetch, its score is the score"
        case Rrf(k, weights):
            shown = f", weights {weights}" if weights else ""
            return f"rrf: sum of 1 / (rank / weight + k - 1), k {k}{shown}"
        case Dbsf():
            return "dbsf: sum of (score - mean) / (6 sigma) + 0.5, mean and sigma of each prefetch's scores"
