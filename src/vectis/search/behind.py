"""What is asked again behind the answers, in spare time: of another variant, exactly, and without the engine's shortcuts."""

from vectis.domain.ports.directory import Resolved
from vectis.domain.routes import INTERLEAVED
from vectis.search.recall import RecallWatch
from vectis.search.requests import Answer, Asked
from vectis.search.shadows import Ask, Shadows
from vectis.search.shortcuts import Shortcuts


class Behind:
    """Offers every query to all who may ask it again."""

    def __init__(self, shadows: Shadows, recall: RecallWatch, shortcuts: Shortcuts) -> None:
        self._shadows = shadows
        self._recall = recall
        self._shortcuts = shortcuts

    def lifted(self, to: Resolved) -> Resolved:
        """The same with the search effort that the collection turned out to need."""
        return self._recall.lifted(to)

    def offer(self, to: Resolved, request: Asked, answer: Answer | None, ask: Ask[Asked]) -> None:
        """A query that failed (None) is asked again too: another variant may have an answer to it."""
        if to.route is not None and to.route.plan.mirror is not None:
            self._shadows.offer(to.route, to.route.plan.mirror, request, ask)
        if answer is None:
            return
        if to.variant != INTERLEAVED:
            self._recall.offer(request, to, answer, ask)
        self._shortcuts.offer(answer.collection, answer.queries, answer.filter_keys)
