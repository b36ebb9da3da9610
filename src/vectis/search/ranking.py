"""Ranking by a fusion of scores: every prefetch in one call to the engine, then what is shown in another."""

from collections.abc import Sequence
from math import fsum

from msgspec.structs import replace

from vectis.domain.errors import RerankerUnavailable
from vectis.domain.points import ScoredPoint, SparseVector
from vectis.domain.ports.engine import PointReader
from vectis.domain.profiles import DENSE
from vectis.search import assemble, plan
from vectis.search.boosting import BOOSTED, Boosting
from vectis.search.diversity import POOL, diverse
from vectis.search.laps import Laps
from vectis.search.requests import DocumentSearch, Hit, TextSearch
from vectis.search.reranking import RERANK, Reranking
from vectis.search.scores import Prefetched, Ranked, ScoreFusion


class _Fused:
    """What a fusion is made of; `weight` is that of all parts together."""

    def __init__(self, found: Sequence[Prefetched], weight: float, *, group: bool) -> None:
        self.weight = weight
        self.fusion = ScoreFusion(found, assemble.documents_of, group=group)
        self._found = found
        self._group = group

    def best(self, documents: int, chunks: int) -> list[ScoredPoint]:
        """The points of the best `chunks` of each of the first `documents`."""
        points = {point.id: point for side in self._found for point in side.points}
        subjects = [each.subject for each in self.fusion.ranked(documents)]
        return [points[id] for ids in self.fusion.chunks(subjects) for id in ids[:chunks]]

    def joined(self, more: Sequence[Prefetched], weight: float) -> "_Fused":
        """With further parts, which weigh `weight` together and whose shares are of the whole."""
        kept = self.weight / (self.weight + weight) if weight else 1.0
        sides = [replace(side, share=side.share * kept) for side in self._found]
        return _Fused([*sides, *more], self.weight + weight, group=self._group)


class ScoreRanker:
    """Ranks documents, or chunks where they are not grouped."""

    def __init__(self, reader: PointReader, reranking: Reranking, boosting: Boosting) -> None:
        self._reader = reader
        self._reranking = reranking
        self._boosting = boosting

    async def hits(
        self,
        name: str,
        request: DocumentSearch,
        text_plan: plan.TextPlan,
        prefetches: Sequence[plan.Prefetch],
        laps: Laps,
    ) -> tuple[list[Hit], dict[str, str]]:
        """The hits that are shown; what they were ranked without, and why."""
        if not prefetches:  # those with a weight could not be asked
            return [], {}
        answers = await self._reader.query_batch(name, [each.query for each in prefetches])
        laps.end("engine")
        parts = _Fused(plan.found(prefetches, answers), fsum(each.weight for each in prefetches), group=request.group)
        degraded: dict[str, str] = {}
        if text_plan.rerank is not None and isinstance(request, TextSearch):
            rerank = text_plan.rerank
            chosen = parts.best(rerank.candidates, rerank.chunks)
            share = rerank.weight / (parts.weight + rerank.weight)
            try:
                judged = await self._reranking.prefetched(name, request.query, rerank, chosen, share)
                parts = parts.joined([judged], rerank.weight)
            except RerankerUnavailable as error:
                degraded[RERANK] = error.message
            laps.end("rerank")
        if (boosts := text_plan.settings.boosts) and (chosen := parts.best(BOOSTED, 1)):
            lifted = await self._boosting.prefetched(name, boosts, chosen, parts.weight)
            parts = parts.joined(lifted, sum(boost.weight for boost in boosts))
            laps.end("engine")
        fusion = parts.fusion
        ranked = fusion.ranked(max(text_plan.wanted, POOL) if request.diversity else text_plan.wanted)
        if request.score_threshold is not None:
            ranked = [each for each in ranked if each.score >= request.score_threshold]
        if request.diversity and ranked:
            ranked = await self._diverse(name, request.diversity, fusion, ranked)
        return await self._shown(name, request, fusion, ranked[request.offset : text_plan.wanted], laps), degraded

    async def _diverse(self, name: str, strength: float, fusion: ScoreFusion, ranked: Sequence[Ranked]) -> list[Ranked]:
        """The first ones in an order of more diversity, then the others."""
        first = ranked[:POOL]
        chunks = [ids[0] for ids in fusion.chunks(each.subject for each in first)]
        records = await self._reader.retrieve(name, chunks, with_payload=False, with_vectors=[DENSE])
        vectors = {
            record.id: vector
            for record in records
            if (vector := (record.vectors or {}).get(DENSE)) is not None and not isinstance(vector, SparseVector)
        }
        order = diverse([each.score for each in first], chunks, vectors, strength)
        return [*(first[place] for place in order), *ranked[POOL:]]

    async def _shown(
        self,
        name: str,
        request: DocumentSearch,
        fusion: ScoreFusion,
        window: Sequence[Ranked],
        laps: Laps,
    ) -> list[Hit]:
        """Read the few points of the window that was asked for."""
        chunks = fusion.chunks(each.subject for each in window)
        laps.end("assemble")
        if not window:
            return []
        selector = plan.with_document_id(request.with_payload) if request.group else request.with_payload
        records = await self._reader.retrieve(
            name, [points[0] for points in chunks], with_payload=selector, with_vectors=request.with_vectors
        )
        laps.end("engine")
        reasons = [fusion.reasons(each.subject) if request.explain else None for each in window]
        return assemble.scored_hits(
            window,
            chunks,
            reasons,
            {record.id: record for record in records},
            grouped=request.group,
            with_payload=request.with_payload,
        )
