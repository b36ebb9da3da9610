"""Recall in production: a few queries are asked exactly too. Where too little was found, search looks harder."""

import asyncio
from collections import OrderedDict

import msgspec
from msgspec.structs import replace

from vectis.domain.errors import VectisError
from vectis.domain.points import SparseVector
from vectis.domain.ports.directory import Resolved
from vectis.domain.ports.measurements import RecallLog
from vectis.domain.queries import HNSW_EF_MAX
from vectis.search.requests import Answer, Asked, SimilarSearch, TextSearch, VectorSearch, exactly
from vectis.search.shadows import Ask
from vectis.search.spare_time import EvenSample, SpareTime

SAMPLES = 50
"""Samples of a collection that are judged together."""

EFFORT_MAX = 8
COLLECTIONS_MAX = 1000
"""Collections watched in one process; those that were asked longest ago are forgotten first."""


class RecallRules(msgspec.Struct, frozen=True):
    """`sample_percent` of the queries are asked exactly too, each within `timeout_s`; a recall below `least` is too little."""

    sample_percent: float
    least: float
    timeout_s: float


class _Tally(msgspec.Struct):
    effort: int = 1
    samples: int = 0
    found: int = 0
    expected: int = 0


class RecallWatch:
    """Measures recall@k, k being the results of the answer: the share of the exact answer's results that the answer has.

    Of queries that leave the search effort to the collection's settings. A collection whose last 50 samples found less than
    `least` is searched with twice the effort (`hnsw_ef`) from then on, up to eight times, until the process ends.
    """

    def __init__(self, *, log: RecallLog, spare: SpareTime, rules: RecallRules) -> None:
        self._log = log
        self._spare = spare
        self._rules = rules
        self._sample = EvenSample()
        self._watched: OrderedDict[str, _Tally] = OrderedDict()

    def lifted(self, to: Resolved) -> Resolved:
        """The same with the effort that the collection turned out to need."""
        watched = self._watched.get(to.collection.name)
        if watched is None or watched.effort == 1:
            return to
        settings = to.collection.profile.search
        search = replace(settings, hnsw_ef=min(HNSW_EF_MAX, settings.hnsw_ef * watched.effort))
        profile = replace(to.collection.profile, search=search)
        return replace(to, collection=replace(to.collection, profile=profile))

    def offer(self, request: Asked, to: Resolved, answer: Answer, ask: Ask[Asked]) -> None:
        """Perhaps ask what was just answered exactly, too; what was answered without a part has nothing to be compared with."""
        if (
            answer.hits
            and not answer.degraded
            and _by_graph(request)
            and self._sample.takes(self._rules.sample_percent)
        ):
            self._spare.begin(lambda: self._look(request, to, answer, ask))

    async def _look(self, request: Asked, to: Resolved, answer: Answer, ask: Ask[Asked]) -> None:
        try:
            async with asyncio.timeout(self._rules.timeout_s):
                exact = await ask(exactly(request), to)
        except (VectisError, TimeoutError):
            return  # without an exact answer there is nothing to compare with
        expected = {hit.id for hit in exact.hits}
        found = len(expected.intersection(hit.id for hit in answer.hits))
        self._log.append_recall(to.collection.name, tuple(answer.filter_keys), found=found, expected=len(expected))
        self._judge(to.collection.name, found, len(expected))

    def _judge(self, collection: str, found: int, expected: int) -> None:
        watched = self._watched.setdefault(collection, _Tally())
        self._watched.move_to_end(collection)
        if len(self._watched) > COLLECTIONS_MAX:
            self._watched.popitem(last=False)
        watched.samples += 1
        watched.found += found
        watched.expected += expected
        if watched.samples < SAMPLES:
            return
        recall = watched.found / max(1, watched.expected)
        watched.samples = watched.found = watched.expected = 0
        if recall < self._rules.least and watched.effort < EFFORT_MAX:
            watched.effort *= 2
            self._log.effort_raised(collection, watched.effort, recall=recall)


def _by_graph(request: TextSearch | SimilarSearch | VectorSearch) -> bool:
    """Whether the collection's settings said how hard to look, and the answer could have missed something."""
    if isinstance(request, VectorSearch):
        return request.params is None and not isinstance(request.vector, SparseVector)
    if isinstance(request, TextSearch) and request.mode == "sparse":
        return False
    return not request.exact and request.overrides.hnsw_ef is None
