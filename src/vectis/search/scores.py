"""Fusion of scores per document: what each prefetch says of a document, on one scale, added up. Pure.

A query has a thousand points to fuse, so what is done for each of them is done by dict, zip and NumPy.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from itertools import count
from math import fsum, sqrt

import msgspec
import numpy as np

from vectis.domain.points import PointId, ScoredPoint
from vectis.search.requests import Place, Reasons

DocumentsOf = Callable[[Sequence[ScoredPoint]], list[PointId]]
"""What stands for the document of each point, in order."""

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

    def __init__(self, found: Sequence[Prefetched], documents_of: DocumentsOf, *, group: bool) -> None:
        self._sides: list[_Side] = []
        self._document: dict[PointId, PointId] = {}
        for each in found:
            documents = documents_of(each.points)
            subjects = documents if group else [point.id for point in each.points]
            if not group:
                self._document.update(zip(subjects, documents, strict=True))
            self._sides.append(_Side(each, subjects, documents if each.whole else subjects))

    def ranked(self, first: int | None = None) -> list[Ranked]:
        """What was found, best first; equal scores by their best rank, then by id. Only the `first` so many, when given."""
        scores = dict.fromkeys(self._document, 0.0)
        for side in self._sides:
            if side.keys is side.subjects:
                for subject, worth in side.worths.items():
                    scores[subject] = scores.get(subject, 0.0) + worth
            else:
                for subject, document in self._document.items():
                    scores[subject] += side.worths.get(document, 0.0)
        if first is not None and first < len(scores):
            least = sorted(scores.values(), reverse=True)[first - 1]
            scores = {subject: score for subject, score in scores.items() if score >= least}
        order = sorted(scores, key=lambda subject: -scores[subject])
        if len({*scores.values()}) < len(scores):
            order.sort(key=lambda subject: (-scores[subject], self._best_rank(subject), str(subject)))
        return [Ranked(subject, scores[subject]) for subject in order[:first]]

    def chunks(self, subjects: Iterable[PointId]) -> list[list[PointId]]:
        """The points of the chunks found of each, the best one first; of one that was only found as a whole its first chunk's."""
        points: dict[PointId, set[PointId]] = {subject: set() for subject in subjects}
        worths: dict[PointId, float] = {}
        for side in self._sides:
            for subject, point, worth in zip(side.subjects, side.found.points, side.point_worths, strict=True):
                if subject in points:
                    points[subject].add(point.id)
                    if not side.found.whole:
                        worths[point.id] = worths.get(point.id, 0.0) + worth
        return [
            sorted([id for id in ids if id in worths] or ids, key=lambda id: (-worths.get(id, 0.0), str(id)))
            for ids in points.values()
        ]

    def reasons(self, subject: PointId) -> Reasons:
        """How `subject` got its score; the contributions add up to it."""
        there = self._found_by(subject)
        return Reasons(
            places={side.found.name: Place(side.ranks[key], side.scores[key]) for side, key in there},
            fusion=FORMULA,
            contributions={side.found.name: side.worths[key] for side, key in there},
        )

    def _best_rank(self, subject: PointId) -> int:
        return min(side.ranks[key] for side, key in self._found_by(subject))

    def _found_by(self, subject: PointId) -> "list[tuple[_Side, PointId]]":
        """The prefetches that found it, and as what."""
        keyed = [(side, subject if side.keys is side.subjects else self._document[subject]) for side in self._sides]
        return [(side, key) for side, key in keyed if key in side.scores]


class _Side:
    """One prefetch as documents (or chunks), its keys: the rank and score of each, which are those of its best point.

    `subjects` are what each point is ranked as, `point_worths` what each point's score is worth. `worths` is what the prefetch
    adds to the final scores of its keys, 0 beyond the depth.
    """

    def __init__(self, found: Prefetched, subjects: list[PointId], keys: list[PointId]) -> None:
        self.found = found
        self.subjects = subjects
        self.keys = keys
        values = [point.score for point in found.points]
        self.scores = _of_first(keys, values)
        inside = self.scores if found.depth >= len(keys) else _of_first(keys[: found.depth], values[: found.depth])
        self.point_worths = _worths(found, values, inside.values())
        self.worths = _of_first(keys, self.point_worths)
        for key in self.scores.keys() - inside.keys():
            self.worths[key] = 0.0

    @cached_property
    def ranks(self) -> dict[PointId, int]:
        """From 1; seldom asked for."""
        return dict(zip(dict.fromkeys(self.keys), count(1), strict=False))


def _of_first(keys: Sequence[PointId], values: Sequence[float]) -> dict[PointId, float]:
    """The value at the first place of each key: the one that is put there last."""
    return dict(zip(reversed(keys), reversed(values), strict=True))


def _worths(found: Prefetched, values: Sequence[float], scored: Collection[float]) -> list[float]:
    """What each of `values` adds to a final score; mean and sigma are those of `scored`."""
    if not found.scaled:
        return [found.share * value for value in values]
    mean = fsum(scored) / len(scored) if scored else 0.0
    sigma = sqrt(fsum((score - mean) ** 2 for score in scored) / len(scored)) if scored else 0.0
    if not sigma:
        return [found.share * 0.5] * len(values)
    scaled = (np.array(values) - mean) / (6 * sigma) + 0.5
    return (found.share * np.maximum(0.0, scaled)).tolist()
