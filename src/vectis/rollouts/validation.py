"""Validating a candidate before it gets traffic: does it hold what it should, does it find what it should."""

from collections.abc import Mapping

from vectis.domain.judgements import Judgement, MetricJudgement, Verdict
from vectis.domain.rollouts import Rollout
from vectis.rollouts.surroundings import AskCollection, MeasureAnswers, RolloutParts, RolloutPoints

COUNT_TOLERANCE = 0.01
"""Share by which the candidate may hold more or less than the stable collection: writes go on while both are counted."""

MEASURE_TOLERANCE = 0.025
"""By how much nDCG@10 and recall@10 of the judged queries may be lower, in the mean."""

MEASURES = ("ndcg@10", "recall@10")
NO_SPLIT = MetricJudgement("split", Verdict.SUCCESSFUL, "the traffic is not split", "none")


class Validator:
    """Asks both collections the same queries, and counts."""

    def __init__(
        self, *, store: RolloutParts, points: RolloutPoints, ask: AskCollection, measure: MeasureAnswers
    ) -> None:
        self._store = store
        self._points = points
        self._ask = ask
        self._measure = measure

    async def validate(self, rollout: Rollout) -> Judgement:
        """Failed as soon as one check failed. The queries are all there are, so their figures are compared as they are."""
        found = [await self._counts(rollout), await self._writes(rollout)]
        if rollout.spec.validation.queries:
            found.append(await self._queries(rollout))
        if rollout.spec.validation.judged:
            found += await self._judged(rollout)
        failed = [each for each in found if each.verdict is Verdict.FAILED]
        reason = "; ".join(f"{each.name}: {each.reason}" for each in failed) or "every check passed"
        return Judgement(Verdict.FAILED if failed else Verdict.SUCCESSFUL, reason, tuple(found), NO_SPLIT)

    async def _counts(self, rollout: Rollout) -> MetricJudgement:
        collection = await self._store.collection(rollout.stable)
        of_documents = collection is not None and collection.profile.embedding is not None
        count = self._store.count_documents if of_documents else self._points.count
        stable, candidate = await count(rollout.stable), await count(rollout.candidate)
        difference = abs(candidate - stable) / max(stable, 1)
        what = "documents" if of_documents else "points"
        reason = f"{candidate} of {stable} {what}"
        return _figures(what, reason, stable, candidate, difference, COUNT_TOLERANCE)

    async def _writes(self, rollout: Rollout) -> MetricJudgement:
        missed = await self._store.divergence(rollout.candidate)
        count = 0 if missed is None else missed.missed
        reason = "it took every write" if missed is None else f"it missed {count} writes, the first: {missed.reason}"
        return _figures("missed_writes", reason, 0, count, count, 0)

    async def _queries(self, rollout: Rollout) -> MetricJudgement:
        queries = rollout.spec.validation.queries
        empty = [query for query in queries if not await self._ask(rollout.candidate, query)]
        named = ", ".join(repr(query[:80]) for query in empty[:3])
        reason = f"{len(queries) - len(empty)} of {len(queries)} queries find something" + (named and f", not {named}")
        share = len(empty) / len(queries)
        return _figures("validation_queries", reason, 0, share, share, 0)

    async def _judged(self, rollout: Rollout) -> list[MetricJudgement]:
        judged = rollout.spec.validation.judged
        grades = {str(number): known.grades for number, known in enumerate(judged)}

        async def measured(collection: str) -> Mapping[str, Mapping[str, float]]:
            answers = {
                str(number): await self._ask(collection, known.query) for number, known in enumerate(judged)
            }  # fmt: skip
            return self._measure(grades, answers)

        stable, candidate = await measured(rollout.stable), await measured(rollout.candidate)
        return [_compared(name, stable[name], candidate[name]) for name in MEASURES]


def _compared(name: str, stable: Mapping[str, float], candidate: Mapping[str, float]) -> MetricJudgement:
    before, after = (sum(values.values()) / max(len(values), 1) for values in (stable, candidate))
    reason = f"{after:.3f} against {before:.3f} over {len(stable)} judged queries"
    return _figures(name, reason, before, after, before - after, MEASURE_TOLERANCE, samples=len(stable))


def _figures(
    name: str, reason: str, stable: float, candidate: float, worsening: float, tolerance: float, *, samples: int = 1
) -> MetricJudgement:
    """Figures that are known and not sampled: the bounds are the figure."""
    return MetricJudgement(
        name=name,
        verdict=Verdict.FAILED if worsening > tolerance else Verdict.SUCCESSFUL,
        reason=reason,
        test="comparison of two figures",
        samples=samples,
        stable=stable,
        candidate=candidate,
        worsening=worsening,
        low=worsening,
        high=worsening,
    )
