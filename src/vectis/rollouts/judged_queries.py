"""Asking both variants the queries whose answers are known."""

from vectis.domain.evidence import JudgedPair
from vectis.domain.rollouts import Rollout
from vectis.rollouts.surroundings import AskCollection, MeasureAnswers

JUDGED_METRICS = ("ndcg@10", "recall@10")


class JudgedQueries:
    """Asks the queries of `validation.judged`."""

    def __init__(self, ask: AskCollection, measure: MeasureAnswers) -> None:
        self._ask = ask
        self._measure = measure

    async def pairs(self, rollout: Rollout) -> tuple[JudgedPair, ...]:
        """What both collections find now, measured; in the order of the spec. Raises what asking raises."""
        known = rollout.spec.validation.judged
        stable, candidate = [await self._measured(rollout, name) for name in (rollout.stable, rollout.candidate)]
        return tuple(JudgedPair(each.query, *of_both) for each, *of_both in zip(known, stable, candidate, strict=True))

    async def _measured(self, rollout: Rollout, collection: str) -> list[dict[str, float]]:
        known = rollout.spec.validation.judged
        grades = {str(number): each.grades for number, each in enumerate(known)}
        answers = {str(number): await self._ask(collection, each.query) for number, each in enumerate(known)}
        measures = self._measure(grades, answers)
        return [{name: of[query] for name, of in measures.items() if query in of} for query in grades]
