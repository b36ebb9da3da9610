"""The use cases of search. One question to the engine, one reading of what is shown; one measurement, whatever the outcome."""

import asyncio
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from vectis.domain.access import CollectionPass, Permission
from vectis.domain.collections import Collection
from vectis.domain.errors import (
    DeadlineExceeded,
    EmbedderUnavailable,
    GeneratorUnavailable,
    InvalidInput,
    LimitExceeded,
    VectisError,
)
from vectis.domain.filters import Filter
from vectis.domain.measurements import INTERRUPTED, Measurement
from vectis.domain.points import Dense, SparseVector
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory, Resolved
from vectis.domain.ports.embedder import SparseEncoder
from vectis.domain.ports.engine import PointReader
from vectis.domain.ports.measurements import MeasurementLog
from vectis.domain.ports.reranker import Reranker
from vectis.domain.profiles import DENSE, SPARSE, Hyde, Scores
from vectis.domain.queries import EngineQuery
from vectis.domain.routes import INTERLEAVED, Routing
from vectis.domain.spelling import words_of
from vectis.search import assemble, plan
from vectis.search.boosting import Boosting
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.examples import Examples, without_examples
from vectis.search.explain import Explainer
from vectis.search.filter_indexes import FilterIndexes
from vectis.search.hypothesis import HYDE, Hypotheses
from vectis.search.interleaving import Interleaving, is_interleaved
from vectis.search.laps import Laps
from vectis.search.ranking import ScoreRanker
from vectis.search.recall import RecallWatch
from vectis.search.requests import Answer, Asked, Hit, SimilarSearch, TextSearch, VectorSearch
from vectis.search.reranking import Reranking
from vectis.search.shadows import Ask, Shadows
from vectis.search.shortcuts import Shortcuts

SIMILAR = "similar"
"""What a search by examples is counted as, beside the modes of searches in words and `vector`."""


class SearchService:
    """Answers questions in words and as vectors."""

    def __init__(
        self,
        *,
        directory: Directory,
        reader: PointReader,
        indexes: FilterIndexes,
        reranker: Reranker,
        embeddings: QueryEmbeddings,
        hypotheses: Hypotheses,
        sparse: SparseEncoder,
        log: MeasurementLog,
        clock: Clock,
        shadows: Shadows | None,
        recall: RecallWatch | None,
        shortcuts: Shortcuts | None,
        interleaving: Interleaving | None,
        limits: plan.SearchLimits,
    ) -> None:
        self._directory = directory
        self._reader = reader
        self._ranker = ScoreRanker(reader, Reranking(reranker, reader), Boosting(reader, clock))
        self._examples = Examples(reader, embeddings)
        self._indexes = indexes
        self._embeddings = embeddings
        self._hypotheses = hypotheses
        self._sparse = sparse
        self._log = log
        self._clock = clock
        self._shadows = shadows
        self._recall = recall
        self._shortcuts = shortcuts
        self._interleaving = interleaving
        self._limits = limits

    async def search_text(self, by: CollectionPass, request: TextSearch) -> Answer:
        """Answer a question in words.

        Raises CollectionNotFound, EmptyQuery, LimitExceeded, InvalidFilter, Unsupported, DeadlineExceeded,
        EngineUnavailable; EmbedderUnavailable in dense mode only, hybrid then answers from BM25 and says so.
        """
        return await self._measured(by, request, request.mode, self._text)

    async def search_vector(self, by: CollectionPass, request: VectorSearch) -> Answer:
        """Answer a question given as a vector. Raises as search_text, and InvalidVector or WrongDimension."""
        return await self._measured(by, request, "vector", self._vector)

    async def similar(self, by: CollectionPass, request: SimilarSearch) -> Answer:
        """What is like some examples and not like others. Raises as search_vector, and DocumentNotFound or PointNotFound."""
        return await self._measured(by, request, SIMILAR, self._similar)

    async def search_vectors(self, searches: Sequence[tuple[CollectionPass, VectorSearch]]) -> list[Answer]:
        """Answer several vector searches, each with its pass, in order; one that fails fails them all.

        Raises LimitExceeded beyond the batch size.
        """
        if not searches:
            raise InvalidInput("searches: give at least one", field="searches")
        if len(searches) > self._limits.batch_max:
            raise LimitExceeded(
                f"searches: {len(searches)} in one batch, the maximum is {self._limits.batch_max}",
                field="searches",
                given=len(searches),
                maximum=self._limits.batch_max,
            )
        return list(await asyncio.gather(*(self.search_vector(by, request) for by, request in searches)))

    async def _vector(self, request: VectorSearch, to: Resolved) -> Answer:
        query = plan.vector_query(request, to.collection, self._limits)
        started = self._clock.monotonic()
        points = await self._reader.query(to.collection.name, query)
        engine_ms = self._since(started)
        keys = await self._filter_keys(to.collection.name, request.filter, [query])
        return _answer(to, assemble.plain_hits(points), {}, {"engine": engine_ms}, keys)

    async def _similar(self, request: SimilarSearch, to: Resolved) -> Answer:
        collection, laps = to.collection, Laps(self._clock)
        wanted = without_examples(request, collection)
        if collection.profile.embedding is not None:
            text_plan = plan.plan_similar(wanted, collection, self._limits)
            _, vector = await self._examples.vector(wanted, collection)
            laps.end("embed")
            weights = text_plan.fusion
            assert isinstance(weights, Scores), "documents are compared by their scores"
            prefetches = plan.score_prefetches(wanted, text_plan, weights, {DENSE: vector})
            hits, _ = await self._ranker.hits(collection.name, wanted, text_plan, prefetches, laps)
        else:
            using, vector = await self._examples.vector(wanted, collection)
            laps.end("embed")
            query = plan.vector_query(
                plan.as_vector_search(wanted, collection, using, vector), collection, self._limits
            )
            hits = assemble.plain_hits(await self._reader.query(collection.name, query))
            laps.end("engine")
        keys = await self._indexes.keys(collection.name, request.filter)
        return _answer(to, hits, {}, laps.stages_ms, keys)

    async def _text(self, request: TextSearch, to: Resolved) -> Answer:
        text_plan = plan.plan_text(request, to.collection, self._limits)
        laps = Laps(self._clock)
        words = self._sparse.encode_query(words_of(to.collection.profile, request.query))
        vectors, degraded = await self._query_vectors(request, text_plan, to.collection, words)
        laps.end("embed")
        if text_plan.hyde is not None and DENSE in vectors:
            degraded |= await self._hypothesize(request.query, vectors, text_plan.hyde, to.collection)
            laps.end("generate")
        if not vectors:  # only stop words were left
            return _answer(to, [], degraded, laps.stages_ms)
        if isinstance(text_plan.fusion, Scores) and len(text_plan.using) > 1:
            prefetches = plan.score_prefetches(request, text_plan, text_plan.fusion, vectors)
            queries = [each.query for each in prefetches]
            hits, without = await self._ranker.hits(to.collection.name, request, text_plan, prefetches, laps)
            degraded |= without
        else:
            queries = [plan.engine_query(request, text_plan, vectors)]
            hits = await self._fused_by_engine(to.collection.name, request, text_plan, queries[0], laps)
        terms = frozenset(words.indices)
        hits = [replace(hit, snippet=assemble.with_snippet(hit, terms, self._sparse.term)) for hit in hits]
        laps.end("assemble")
        keys = await self._filter_keys(to.collection.name, request.filter, queries)
        return _answer(to, hits, degraded, laps.stages_ms, keys)

    async def _filter_keys(self, name: str, filter: Filter | None, queries: Sequence[EngineQuery]) -> dict[str, bool]:
        """The keys that a filter tests, and whether an index served each, while the engine was asked `queries`."""
        keys = await self._indexes.keys(name, filter)
        if self._shortcuts is not None:
            self._shortcuts.offer(name, queries, keys)
        return keys

    async def _fused_by_engine(
        self, name: str, request: TextSearch, text_plan: plan.TextPlan, query: EngineQuery, laps: Laps
    ) -> list[Hit]:
        """Let the engine fuse chunks, with every prefetch by itself beside it when an explanation is wanted."""
        explainer = None
        if request.explain:
            points, *lists = await self._reader.query_batch(name, [query, *plan.prefetch_queries(query)])
            explainer = Explainer(query, lists)
        else:
            points = await self._reader.query(name, query)
        laps.end("engine")
        if text_plan.grouped:
            hits = assemble.grouped_hits(
                points, offset=request.offset, limit=text_plan.limit, with_payload=request.with_payload
            )
        else:
            hits = assemble.plain_hits(points)
        if explainer is None:
            return hits
        return [
            replace(hit, reasons=explainer.reasons(hit.id if hit.point_id is None else hit.point_id)) for hit in hits
        ]

    async def _query_vectors(
        self, request: TextSearch, text_plan: plan.TextPlan, collection: Collection, words: SparseVector
    ) -> tuple[dict[str, Dense | SparseVector], dict[str, str]]:
        """The vectors that can be made, and why which could not. Raises EmbedderUnavailable in dense mode."""
        vectors: dict[str, Dense | SparseVector] = {}
        degraded: dict[str, str] = {}
        if SPARSE in text_plan.using and words.indices:
            vectors[SPARSE] = words
        if DENSE in text_plan.using:
            try:
                vectors[DENSE] = await self._dense_vector(request.query, collection)
            except EmbedderUnavailable as error:
                if request.mode == "dense":
                    raise
                degraded[DENSE] = error.message
        return vectors, degraded

    async def _dense_vector(self, query: str, collection: Collection) -> Dense:
        profile = collection.profile.embedding
        if profile is None:
            raise EmbedderUnavailable(f"collection {collection.name} was not embedded: ask with mode sparse")
        return await self._embeddings.vector(profile, query)

    async def _hypothesize(
        self, query: str, vectors: dict[str, Dense | SparseVector], hyde: Hyde, collection: Collection
    ) -> dict[str, str]:
        """Put the mean with hypothetical answers in the place of the dense vector; says why when it stays as it is."""
        profile, of_query = collection.profile.embedding, vectors[DENSE]
        assert profile is not None, "there is a vector of the query"
        assert not isinstance(of_query, SparseVector), "it is the dense one"
        try:
            vectors[DENSE] = await self._hypotheses.vector(query, of_query, profile, hyde)
        except (GeneratorUnavailable, EmbedderUnavailable) as error:
            return {HYDE: error.message}
        return {}

    async def _measured(self, by: CollectionPass, request: Asked, mode: str, ask: Ask[Asked]) -> Answer:
        """Resolve, ask within the deadline, and write one measurement whatever happens."""
        by.require(Permission.READ_COLLECTIONS)
        started = self._clock.monotonic()
        to = await self._directory.resolve(by.collection, request.routing)
        outcome = INTERRUPTED
        answer: Answer | None = None
        try:
            if self._interleaving is not None and is_interleaved(request, to):
                # whatever comes of it: that it was tried has to do with no variant
                to = replace(to, variant=INTERLEAVED)
                answer = await self._interleaving.answer(request, to, partial(self._within, ask))
            else:
                answer = await self._within(ask, request, to)
            outcome = "ok"
            return replace(answer, took_ms=self._since(started))
        except VectisError as error:
            outcome = error.code
            raise
        finally:
            if outcome != INTERRUPTED:
                self._asked_again(to, request, answer, ask)
            self._log.append(
                _measurement(by.collection, request.routing, to, mode, outcome, answer, self._since(started))
            )

    async def _within(self, ask: Ask[Asked], request: Asked, to: Resolved) -> Answer:
        """Ask within the deadline. Raises DeadlineExceeded, and what `ask` raises."""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await ask(request, to if self._recall is None else self._recall.lifted(to))
        except TimeoutError:
            raise DeadlineExceeded(
                f"no answer within {self._limits.timeout_s} s; ask again with a smaller limit or prefetch",
                timeout_s=self._limits.timeout_s,
            ) from None

    def _asked_again(self, to: Resolved, request: Asked, answer: Answer | None, ask: Ask[Asked]) -> None:
        """Behind the answer; a query that failed (None) is asked again too: another variant may have an answer to it."""
        if self._shadows is not None and to.route is not None and to.route.plan.mirror is not None:
            self._shadows.offer(to.route, to.route.plan.mirror, request, ask)
        if self._recall is not None and answer is not None and to.variant != INTERLEAVED:
            self._recall.offer(request, to, answer, ask)

    def _since(self, started: float) -> float:
        return round((self._clock.monotonic() - started) * 1000, 3)


def _measurement(
    name: str, routing: Routing, to: Resolved, mode: str, outcome: str, answer: Answer | None, took_ms: float
) -> Measurement:
    return Measurement(
        name=name,
        collection=to.collection.name,
        variant=to.variant,
        mode=mode,
        outcome=outcome,
        results=len(answer.hits) if answer else 0,
        first_score=answer.hits[0].score if answer and answer.hits else None,
        degraded=tuple(answer.degraded) if answer else (),
        took_ms=took_ms,
        stages_ms=answer.stages_ms if answer else {},
        filter_keys=answer.filter_keys if answer else {},
        route=to.route,
        routing=routing,
    )


def _answer(
    to: Resolved,
    hits: list[Hit],
    degraded: dict[str, str],
    stages_ms: dict[str, float],
    filter_keys: dict[str, bool] | None = None,
) -> Answer:
    return Answer(
        hits=hits,
        collection=to.collection.name,
        variant=to.variant,
        took_ms=0.0,
        degraded=degraded,
        stages_ms=stages_ms,
        filter_keys=filter_keys or {},
        route_version=0 if to.route is None else to.route.version,
    )
