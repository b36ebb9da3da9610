"""How each kind of question is answered by one collection. Who asks, deadlines and measurements are the service's."""

from msgspec.structs import replace

from vectis.domain.collections import Collection
from vectis.domain.errors import (
    EmbedderUnavailable,
    GeneratorUnavailable,
)
from vectis.domain.points import Dense, SparseVector
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Resolved
from vectis.domain.ports.embedder import SparseEncoder
from vectis.domain.ports.engine import PointReader
from vectis.domain.ports.reranker import Reranker
from vectis.domain.profiles import DENSE, SPARSE, Hyde, Scores
from vectis.domain.queries import EngineQuery
from vectis.domain.spelling import words_of
from vectis.search import assemble, plan
from vectis.search.boosting import Boosting
from vectis.search.embeddings import QueryEmbeddings
from vectis.search.examples import Examples, without_examples
from vectis.search.explain import Explainer
from vectis.search.filter_indexes import FilterIndexes
from vectis.search.hypothesis import HYDE, Hypotheses
from vectis.search.laps import Laps
from vectis.search.ranking import ScoreRanker
from vectis.search.requests import Answer, Hit, SimilarSearch, TextSearch, VectorSearch
from vectis.search.reranking import Reranking


class Answering:
    """One question to the engine, one reading of what is shown."""

    def __init__(
        self,
        *,
        reader: PointReader,
        indexes: FilterIndexes,
        reranker: Reranker,
        embeddings: QueryEmbeddings,
        hypotheses: Hypotheses,
        sparse: SparseEncoder,
        clock: Clock,
        limits: plan.SearchLimits,
    ) -> None:
        self._reader = reader
        self._ranker = ScoreRanker(reader, Reranking(reranker, reader), Boosting(reader, clock))
        self._examples = Examples(reader, embeddings)
        self._indexes = indexes
        self._embeddings = embeddings
        self._hypotheses = hypotheses
        self._sparse = sparse
        self._clock = clock
        self._limits = limits

    async def vector(self, request: VectorSearch, to: Resolved) -> Answer:
        """The nearest points to a vector. Raises what SearchService.search_vector says, but for what asking in time raises."""
        query = plan.vector_query(request, to.collection, self._limits)
        laps = Laps(self._clock)
        points = await self._reader.query(to.collection.name, query)
        laps.end("engine")
        keys = await self._indexes.keys(to.collection.name, request.filter)
        return _answer(to, assemble.plain_hits(points), {}, laps, keys, (query,))

    async def similar(self, request: SimilarSearch, to: Resolved) -> Answer:
        """What is like some examples. Raises what SearchService.similar says."""
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
        return _answer(to, hits, {}, laps, keys)

    async def text(self, request: TextSearch, to: Resolved) -> Answer:
        """Documents or chunks for a question in words. Raises what SearchService.search_text says."""
        text_plan = plan.plan_text(request, to.collection, self._limits)
        laps = Laps(self._clock)
        words = self._sparse.encode_query(words_of(to.collection.profile, request.query))
        vectors, degraded = await self._query_vectors(request, text_plan, to.collection, words)
        laps.end("embed")
        if text_plan.hyde is not None and DENSE in vectors:
            degraded |= await self._hypothesize(request.query, vectors, text_plan.hyde, to.collection)
            laps.end("generate")
        if not vectors:  # only stop words were left
            return _answer(to, [], degraded, laps)
        if isinstance(text_plan.fusion, Scores) and len(text_plan.using) > 1:
            prefetches = plan.score_prefetches(request, text_plan, text_plan.fusion, vectors)
            queries = tuple(each.query for each in prefetches)
            hits, without = await self._ranker.hits(to.collection.name, request, text_plan, prefetches, laps)
            degraded |= without
        else:
            queries = (plan.engine_query(request, text_plan, vectors),)
            hits = await self._fused_by_engine(to.collection.name, request, text_plan, queries[0], laps)
        terms = frozenset(words.indices)
        hits = [replace(hit, snippet=assemble.with_snippet(hit, terms, self._sparse.term)) for hit in hits]
        laps.end("assemble")
        keys = await self._indexes.keys(to.collection.name, request.filter)
        return _answer(to, hits, degraded, laps, keys, queries)

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


def _answer(
    to: Resolved,
    hits: list[Hit],
    degraded: dict[str, str],
    laps: Laps,
    filter_keys: dict[str, bool] | None = None,
    queries: tuple[EngineQuery, ...] = (),
) -> Answer:
    return Answer(
        hits=hits,
        collection=to.collection.name,
        variant=to.variant,
        took_ms=0.0,
        degraded=degraded,
        stages_ms=laps.stages_ms,
        filter_keys=filter_keys or {},
        queries=queries,
        route_version=0 if to.route is None else to.route.version,
    )
