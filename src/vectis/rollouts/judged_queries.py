"""Asking all variants the queries whose answers are known."""

from vectis.domain.evidence import JudgedPair
from vectis.domain.rollouts import Rollout
from vectis.rollouts.surroundings import AskCollection, MeasureAnswers

JUDGED_METRICS = ("ndcg@10", "recall@10")


class JudgedQueries:
    """Asks the queries of `validation.judged`."""

    def __init__(self, ask: AskCollection, measure: MeasureAnswers) -> None:
        self._ask = ask
        self._measure = measure

    async def pairs(self, rollout: Rollout) -> dict[str, tuple[JudgedPair, ...]]:
        """What the collections find now, measured: of each variant that takes part, with the stable one's, in the order of the
        spec. Raises what asking raises."""
        stable = await self._measured(rollout, rollout.stable)
        found = {each.variant: await self._measured(rollout, each.collection) for each in rollout.running}
        queries = [each.query for each in rollout.spec.validation.judged]
        return {name: tuple(map(JudgedPair, queries, stable, measured)) for name, measured in found.items()}

    async def _measured(self, rollout: Rollout, collection: str) -> list[dict[str, float]]:
        known = rollout.spec.validation.judged
        grades = {str(number): each.grades for number, each in enumerate(known)}
        answers = {str(number): await self._ask(collection, each.query) for number, each in enumerate(known)}
        measures = self._measure(grades, answers)
        return [{name: of[query] for name, of in measures.items() if query in of} for query in grades]
