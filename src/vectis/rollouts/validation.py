"""Validating candidates before they get traffic: does each hold what it should, does it find what it should."""

from collections.abc import Sequence
from statistics import fmean

from vectis.domain.evidence import JudgedPair
from vectis.domain.judgements import Judgement, MetricJudgement, Verdict, known_figures
from vectis.domain.ports.control import DivergenceStore
from vectis.domain.rollouts import ChangeKind, Rollout
from vectis.rollouts.judged_queries import JUDGED_METRICS, JudgedQueries
from vectis.rollouts.payloads import compare_payloads
from vectis.rollouts.surroundings import AskCollection, RolloutParts, RolloutPoints

COUNT_TOLERANCE = 0.01
"""Share by which the candidate may hold more or less than the stable collection: writes go on while both are counted."""

REFRESH_TOLERANCE = 0.5
"""The same for other documents: it only catches a collection that lost half of them or was given far too many."""

MEASURE_TOLERANCE = 0.025
"""By how much nDCG@10 and recall@10 of the judged queries may be lower, in the mean."""

NO_SPLIT = MetricJudgement("split", Verdict.SUCCESSFUL, "the traffic is not split", "none")


class Validator:
    """Asks both collections the same queries, and counts."""

    def __init__(
        self, *, store: RolloutParts, points: RolloutPoints, ask: AskCollection, judged: JudgedQueries
    ) -> None:
        self._store = store
        self._points = points
        self._ask = ask
        self._judged_queries = judged

    async def validate(self, rollout: Rollout) -> dict[str, Judgement]:
        """By variant that takes part, failed as soon as one check failed. The queries are all there are, so their figures are
        compared as they are."""
        asked = bool(rollout.spec.validation.judged)
        judged = await self._judged_queries.pairs(rollout) if asked else {}
        return {
            each.variant: await self._judge(rollout, each.collection, judged.get(each.variant, ()))
            for each in rollout.running
        }

    async def _judge(self, rollout: Rollout, candidate: str, judged: Sequence[JudgedPair]) -> Judgement:
        found = [
            await self._counts(rollout, candidate),
            await missed_writes(self._store, candidate),
            await compare_payloads(self._points, rollout.stable, candidate),
        ]
        if rollout.spec.validation.queries:
            found.append(await self._queries(rollout.spec.validation.queries, candidate))
        if judged:
            found += [_compared(name, judged) for name in JUDGED_METRICS]
        failed = [each for each in found if each.verdict is Verdict.FAILED]
        reason = "; ".join(f"{each.name}: {each.reason}" for each in failed) or "every check passed"
        return Judgement(Verdict.FAILED if failed else Verdict.SUCCESSFUL, reason, tuple(found), NO_SPLIT)

    async def _counts(self, rollout: Rollout, name: str) -> MetricJudgement:
        collection = await self._store.collection(rollout.stable)
        of_documents = collection is not None and collection.profile.embedding is not None
        count = self._store.count_documents if of_documents else self._points.count
        stable, candidate = await count(rollout.stable), await count(name)
        difference = abs(candidate - stable) / max(stable, 1)
        what = "documents" if of_documents else "points"
        reason = f"{candidate} of {stable} {what}"
        tolerance = REFRESH_TOLERANCE if rollout.spec.change is ChangeKind.REFRESH else COUNT_TOLERANCE
        return _figures(what, reason, stable, candidate, difference, tolerance)

    async def _queries(self, queries: Sequence[str], candidate: str) -> MetricJudgement:
        empty = [query for query in queries if not await self._ask(candidate, query)]
        named = ", ".join(repr(query[:80]) for query in empty[:3])
        reason = f"{len(queries) - len(empty)} of {len(queries)} queries find something" + (named and f", not {named}")
        share = len(empty) / len(queries)
        return _figures("validation_queries", reason, 0, share, share, 0)


async def missed_writes(store: DivergenceStore, candidate: str) -> MetricJudgement:
    """Failed when the candidate missed a write: it lacks what was acknowledged."""
    missed = await store.divergence(candidate)
    count = 0 if missed is None else missed.missed
    reason = "it took every write" if missed is None else f"it missed {count} writes, the first: {missed.reason}"
    return _figures("missed_writes", reason, 0, count, count, 0)


def _compared(name: str, pairs: Sequence[JudgedPair]) -> MetricJudgement:
    stable, candidate = fmean(pair.stable[name] for pair in pairs), fmean(pair.candidate[name] for pair in pairs)
    reason = f"{candidate:.3f} against {stable:.3f} over {len(pairs)} judged queries"
    return _figures(name, reason, stable, candidate, stable - candidate, MEASURE_TOLERANCE, samples=len(pairs))


def _figures(
    name: str, reason: str, stable: float, candidate: float, worsening: float, tolerance: float, *, samples: int = 1
) -> MetricJudgement:
    verdict = Verdict.FAILED if worsening > tolerance else Verdict.SUCCESSFUL
    return known_figures(
        name, verdict, reason, samples=samples, stable=stable, candidate=candidate, worsening=worsening
    )
