"""Fusion of scores per document: what each prefetch says of a document, on one scale, added up. Pure."""

from collections.abc import Callable, Sequence
from functools import cached_property
from math import fsum, sqrt
from operator import itemgetter

import msgspec

from vectis.domain.points import PointId, ScoredPoint
from vectis.search.requests import Place, Reasons

DocumentOf = Callable[[ScoredPoint], PointId]

FORMULA = (
    "scores: sum of share * ((score - mean) / (6 sigma) + 0.5), 0 at least, mean and sigma of each prefetch's documents; "
    "boosts: share * value"
)


class Prefetched(msgspec.Struct, frozen=True):
    """The answer of one prefetch, best first, and its share of the final score; the shares add up to 1.

    `whole`: its points stand for documents and not for chunks. `depth`: how many of its points are scored. Not `scaled`: its
    scores are from 0 to 1 already and count as they are.
    """

    name: str
    points: Sequence[ScoredPoint]
    share: float
    depth: int
    whole: bool
    scaled: bool = True


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
        self._sides: list[_Side] = []
        self._document: dict[PointId, PointId] = {}
        self._points: dict[PointId, dict[PointId, bool]] = {}
        for each in found:
            documents = [document_of(point) for point in each.points]
            subjects = documents if group else [point.id for point in each.points]
            self._sides.append(_Side(each, documents if each.whole else subjects))
            for subject, document, point in zip(subjects, documents, each.points, strict=True):
                if subject in self._points:
                    self._points[subject].setdefault(point.id, each.whole)
                else:
                    self._points[subject] = {point.id: each.whole}
                    self._document[subject] = document

    def ranked(self) -> list[Ranked]:
        """All that was found, best first; equal scores by their best rank, then by id."""
        sides = [(side.found.whole, side.ranks, side.worths) for side in self._sides]
        order: list[tuple[float, int, str, PointId]] = []
        for subject, document in self._document.items():
            score, best_rank = 0.0, len(self._points)
            for whole, ranks, worths in sides:
                key = document if whole else subject
                rank = ranks.get(key)
                if rank is not None:
                    score += worths.get(key, 0.0)
                    best_rank = min(rank, best_rank)
            order.append((-score, best_rank, str(subject), subject))
        order.sort(key=itemgetter(0, 1, 2))
        return [Ranked(subject, -negative) for negative, _, _, subject in order]

    def chunks(self, subject: PointId) -> list[PointId]:
        """The points of the chunks found, the best one first; the first chunk's when only the whole document was found."""
        points = self._points[subject]
        chunks = [id for id, whole in points.items() if not whole] or list(points)
        return sorted(chunks, key=lambda id: (-sum(side.worth_of_chunk(id) for side in self._sides), str(id)))

    def reasons(self, subject: PointId) -> Reasons:
        """How `subject` got its score; the contributions add up to it."""
        keyed = [(side, self._document[subject] if side.found.whole else subject) for side in self._sides]
        there = [(side, key) for side, key in keyed if key in side.ranks]
        return Reasons(
            places={side.found.name: Place(side.ranks[key], side.scores[key]) for side, key in there},
            fusion=FORMULA,
            contributions={side.found.name: side.worths.get(key, 0.0) for side, key in there},
        )


class _Side:
    """One prefetch as documents (or chunks): the rank and score of each, which are those of its best point.

    `worths` is what the prefetch adds to their final scores, of those found within the depth.
    """

    def __init__(self, found: Prefetched, keys: Sequence[PointId]) -> None:
        self.found = found
        self.ranks: dict[PointId, int] = {}
        self.scores: dict[PointId, float] = {}
        for key, point in zip(keys, found.points, strict=True):
            if key not in self.ranks:
                self.ranks[key] = len(self.ranks) + 1
                self.scores[key] = point.score
        inside = dict.fromkeys(keys[: found.depth])
        scored = [self.scores[key] for key in inside]
        self._mean = fsum(scored) / len(scored) if scored else 0.0
        self._sigma = sqrt(fsum((score - self._mean) ** 2 for score in scored) / len(scored)) if scored else 0.0
        self.worths = {key: self._worth(self.scores[key]) for key in inside}

    @cached_property
    def _chunk_scores(self) -> dict[PointId, float]:
        return {} if self.found.whole else {point.id: point.score for point in self.found.points}

    def worth_of_chunk(self, point_id: PointId) -> float:
        """What this prefetch says of one chunk; nothing from a prefetch of whole documents."""
        score = self._chunk_scores.get(point_id)
        return 0.0 if score is None else self._worth(score)

    def _worth(self, score: float) -> float:
        if not self.found.scaled:
            return self.found.share * score
        scaled = (score - self._mean) / (6 * self._sigma) + 0.5 if self._sigma else 0.5
        return self.found.share * max(0.0, scaled)
