"""Fusion of scores per document: what each prefetch says of a document, on one scale, added up. Pure."""

from collections.abc import Callable, Sequence
from math import fsum, sqrt

import msgspec

from vectis.domain.points import PointId, ScoredPoint
from vectis.search.requests import Place, Reasons

DocumentOf = Callable[[ScoredPoint], PointId]

FORMULA = (
    "scores: sum of share * ((score - mean) / (6 sigma) + 0.5), 0 at least, mean and sigma of each prefetch's documents"
)


class Prefetched(msgspec.Struct, frozen=True):
    """The answer of one prefetch, best first, and its share of the final score; the shares add up to 1.

    `whole`: its points stand for documents and not for chunks. `depth`: how many of its points are scored.
    """

    name: str
    points: Sequence[ScoredPoint]
    share: float
    depth: int
    whole: bool


class Ranked(msgspec.Struct, frozen=True):
    """A document, or a chunk where chunks are ranked, and its score."""

    subject: PointId
    score: float


class ScoreFusion:
    """Ranks what several prefetches found.

    With `group`, documents are ranked, each by its best chunk in every prefetch. Without, chunks are, and what is known of a
    document as a whole counts for each of its chunks. Beyond the depth of every prefetch nothing is scored: such results
    follow the others by their ranks, so that the first results are the same however many are asked for.
    """

    def __init__(self, found: Sequence[Prefetched], document_of: DocumentOf, *, group: bool) -> None:
        self._points: dict[PointId, dict[PointId, bool]] = {}
        self._document: dict[PointId, PointId] = {}
        self._sides = [_Side(each) for each in found]
        for side in self._sides:
            for point in side.found.points:
                document = document_of(point)
                subject = document if group else point.id
                self._document[subject] = document
                side.add(document if side.found.whole else subject, point)
                self._points.setdefault(subject, {}).setdefault(point.id, side.found.whole)
        for side in self._sides:
            side.settle()

    def ranked(self) -> list[Ranked]:
        """All that was found, best first; equal scores by their best rank, then by id."""
        order = [(-self._score(subject), self._best_rank(subject), str(subject), subject) for subject in self._points]
        order.sort(key=lambda entry: entry[:3])
        return [Ranked(subject, -negative) for negative, _, _, subject in order]

    def chunks(self, subject: PointId) -> list[PointId]:
        """The points of the chunks found, the best one first; the first chunk's when only the whole document was found."""
        points = self._points[subject]
        chunks = [id for id, whole in points.items() if not whole] or list(points)
        return sorted(chunks, key=lambda id: (-sum(side.worth_of_chunk(id) for side in self._sides), str(id)))

    def reasons(self, subject: PointId) -> Reasons:
        """How `subject` got its score; the contributions add up to it."""
        keyed = [(side, self._key(side, subject)) for side in self._sides]
        return Reasons(
            places={side.found.name: side.places[key] for side, key in keyed if key in side.places},
            fusion=FORMULA,
            contributions={side.found.name: side.worth(key) for side, key in keyed if key in side.places},
        )

    def _key(self, side: "_Side", subject: PointId) -> PointId:
        return self._document[subject] if side.found.whole else subject

    def _score(self, subject: PointId) -> float:
        return sum(side.worth(self._key(side, subject)) for side in self._sides)

    def _best_rank(self, subject: PointId) -> int:
        places = (side.places.get(self._key(side, subject)) for side in self._sides)
        return min(place.rank for place in places if place is not None)


class _Side:
    """One prefetch as documents (or chunks) with their best scores, and the scale on which they can be added to others'."""

    def __init__(self, found: Prefetched) -> None:
        self.found = found
        self.places: dict[PointId, Place] = {}
        self._scored: list[float] = []
        self._chunk_scores: dict[PointId, float] = {}
        self._mean = self._sigma = 0.0

    def add(self, key: PointId, point: ScoredPoint) -> None:
        """Take the next best point, which counts for `key` unless a better one did."""
        inside = len(self._chunk_scores) < self.found.depth
        self._chunk_scores[point.id] = point.score
        if key not in self.places:
            self.places[key] = Place(len(self.places) + 1, point.score)
            if inside:
                self._scored.append(point.score)

    def settle(self) -> None:
        """Fix the scale: every point is there."""
        scores = self._scored
        if scores:
            self._mean = fsum(scores) / len(scores)
            self._sigma = sqrt(fsum((score - self._mean) ** 2 for score in scores) / len(scores))

    def worth(self, key: PointId) -> float:
        """What this prefetch adds to the score; nothing where `key` was not found within the depth."""
        place = self.places.get(key)
        return 0.0 if place is None or place.rank > len(self._scored) else self._shared(place.score)

    def worth_of_chunk(self, point_id: PointId) -> float:
        """The same for one chunk; nothing from a prefetch of whole documents."""
        score = None if self.found.whole else self._chunk_scores.get(point_id)
        return 0.0 if score is None else self._shared(score)

    def _shared(self, score: float) -> float:
        scaled = (score - self._mean) / (6 * self._sigma) + 0.5 if self._sigma else 0.5
        return self.found.share * max(0.0, scaled)
