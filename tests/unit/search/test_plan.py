"""Plans are pure: what a request and a collection give, and what is refused."""

from datetime import UTC, datetime

import msgspec
import pytest

from vectis.catalog.profiles import document_profile, vectors_profile
from vectis.domain.collections import Collection
from vectis.domain.errors import (
    EmptyQuery,
    InvalidFilter,
    InvalidInput,
    InvalidVector,
    LimitExceeded,
    Unsupported,
    WrongDimension,
)
from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.points import SparseVector, dense
from vectis.domain.profiles import (
    DENSE,
    DOCUMENT_DENSE,
    DOCUMENT_SPARSE,
    SPARSE,
    EmbeddingProfile,
    Hyde,
    Rerank,
    Scores,
)
from vectis.domain.queries import Dbsf, Rrf, SearchParams
from vectis.search.plan import (
    SearchLimits,
    engine_query,
    found,
    plan_text,
    prefetch_queries,
    score_prefetches,
    vector_query,
)
from vectis.search.requests import Overrides, TextSearch, VectorSearch

LIMITS = SearchLimits()
DOCS = Collection("docs", document_profile(EmbeddingProfile("m", "r", 4, 256)), datetime(2026, 1, 1, tzinfo=UTC))
OWN = Collection("own", vectors_profile(), datetime(2026, 1, 1, tzinfo=UTC))
VECTORS = {DENSE: dense([1.0, 0.0, 0.0, 0.0]), SPARSE: SparseVector([1], [1.0])}


def text(**given: object) -> TextSearch:
    return msgspec.structs.replace(TextSearch(query="words"), **given)


def test_hybrid_asks_both_prefetches_with_the_defaults_for_documentation() -> None:
    request = text(group=False, mode="hybrid")
    query = engine_query(request, plan_text(request, DOCS, LIMITS), VECTORS)
    by_name = {nearest.using: nearest for nearest in query.prefetches}
    assert by_name[DENSE].limit == 300
    assert by_name[DENSE].params == SearchParams(hnsw_ef=128, rescore=True, oversampling=2.0, adaptive=True)
    assert by_name[SPARSE].limit == 300
    assert query.fusion == Rrf(k=60)
    assert query.limit == 10


@pytest.mark.parametrize(("mode", "using"), [("dense", (DENSE,)), ("sparse", (SPARSE,))])
def test_one_mode_asks_one_prefetch_without_fusion(mode: str, using: tuple[str, ...]) -> None:
    request = text(mode=mode)
    query = engine_query(request, plan_text(request, DOCS, LIMITS), VECTORS)
    assert tuple(n.using for n in query.prefetches) == using
    assert query.fusion is None


def test_a_missing_vector_leaves_its_prefetch_out() -> None:
    request = text()
    query = engine_query(request, plan_text(request, DOCS, LIMITS), {SPARSE: VECTORS[SPARSE]})
    assert [n.using for n in query.prefetches] == [SPARSE]
    assert query.fusion is None


def test_grouping_asks_for_more_chunks_and_leaves_the_window_to_assembly() -> None:
    request = text(limit=20, offset=10)
    plan = plan_text(request, DOCS, LIMITS)
    query = engine_query(request, plan, VECTORS)
    assert query.offset == 0
    assert query.limit == plan.candidates == 150
    assert all(n.limit >= 150 for n in query.prefetches)


def test_grouping_reads_the_document_id_even_when_no_payload_is_wanted() -> None:
    request = text(with_payload=False)
    assert engine_query(request, plan_text(request, DOCS, LIMITS), VECTORS).with_payload == ["document_id"]
    request = text(with_payload=["title"])
    assert engine_query(request, plan_text(request, DOCS, LIMITS), VECTORS).with_payload == ["document_id", "title"]


def test_overrides_replace_only_what_they_name() -> None:
    request = text(overrides=Overrides(fusion=Rrf(k=10), prefetch_sparse=70), group=False)
    query = engine_query(request, plan_text(request, DOCS, LIMITS), VECTORS)
    assert query.fusion == Rrf(k=10)
    assert [n.limit for n in query.prefetches] == [300, 70]


def test_the_default_asks_for_chunks_and_for_whole_documents() -> None:
    request = text(limit=20, offset=330)
    plan = plan_text(request, DOCS, LIMITS)
    asked = {each.name: each for each in score_prefetches(request, plan, Scores(sparse=2), VECTORS)}
    assert {name: (each.whole, each.depth, each.query.limit, each.weight) for name, each in asked.items()} == {
        DENSE: (False, 300, 1750, 1.0),
        DOCUMENT_DENSE: (True, 300, 350, 1.0),
        SPARSE: (False, 300, 1750, 2.0),
        DOCUMENT_SPARSE: (True, 300, 350, 1.0),
    }
    assert all(each.query.with_payload is False for each in asked.values())
    assert sum(each.share for each in found(list(asked.values()), [[]] * 4)) == pytest.approx(1)


def test_a_weight_of_nothing_asks_nothing() -> None:
    plan = plan_text(text(), DOCS, LIMITS)
    weights = Scores(dense=0, document_dense=0)
    assert [each.name for each in score_prefetches(text(), plan, weights, VECTORS)] == [SPARSE, DOCUMENT_SPARSE]


def test_plain_hybrid_takes_another_fusion_when_told() -> None:
    request = text(mode="hybrid", overrides=Overrides(fusion=Dbsf()))
    assert plan_text(request, DOCS, LIMITS).fusion == Dbsf()


def test_each_prefetch_can_be_asked_alone() -> None:
    request = text(filter=Filter(must=[Condition(key="language", match=Match(value="python"))]))
    query = engine_query(request, plan_text(request, DOCS, LIMITS), VECTORS)
    alone = prefetch_queries(query)
    assert [q.prefetches for q in alone] == [(p,) for p in query.prefetches]
    assert all(q.filter == query.filter and q.fusion is None for q in alone)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (text(query="  \n"), EmptyQuery),
        (text(query="x" * 9000), LimitExceeded),
        (text(limit=1001), LimitExceeded),
        (text(offset=10_001), LimitExceeded),
        (text(filter=Filter(must=[Condition(key="a")])), InvalidFilter),
    ],
)
def test_bad_requests_are_refused(request_: TextSearch, error: type[Exception]) -> None:
    with pytest.raises(error):
        plan_text(request_, DOCS, LIMITS)


def test_words_need_a_document_collection() -> None:
    with pytest.raises(Unsupported, match="vectors/search"):
        plan_text(text(), OWN, LIMITS)


def test_a_vector_search_takes_the_usual_vector_and_says_both_dimensions() -> None:
    with pytest.raises(WrongDimension, match="3 dimensions, the collection has 768"):
        vector_query(VectorSearch(vector=dense([1.0, 2.0, 3.0])), OWN, LIMITS)
    query = vector_query(VectorSearch(vector=SparseVector([1], [1.0]), limit=3, offset=2), OWN, LIMITS)
    assert query.prefetches[0].using == SPARSE
    assert query.prefetches[0].limit == 5
    with pytest.raises(InvalidVector, match="no such vector"):
        vector_query(VectorSearch(vector=dense([1.0] * 768), using="other"), OWN, LIMITS)


@pytest.mark.parametrize(
    "overrides",
    [
        Overrides(fusion=Rrf(k=0)),
        Overrides(fusion=Rrf(weights=[1.0])),
        Overrides(fusion=Rrf(weights=[1.0, 0.0])),
        Overrides(prefetch_dense=0),
        Overrides(prefetch_documents=0),
        Overrides(fusion=Scores(dense=-1)),
        Overrides(fusion=Scores(dense=0, sparse=0, document_dense=0, document_sparse=0)),
        Overrides(hnsw_ef=5000),
        Overrides(oversampling=0.5),
    ],
)
def test_senseless_settings_are_refused(overrides: Overrides) -> None:
    with pytest.raises(InvalidInput, match="settings"):
        plan_text(text(overrides=overrides), DOCS, LIMITS)


@pytest.mark.parametrize(
    ("rerank", "field"),
    [
        (Rerank(candidates=0), "candidates"), (Rerank(candidates=201), "candidates"), (Rerank(candidates=50, chunks=5), "chunks"),
        (Rerank(weight=-1), "weight"), (Rerank(timeout_ms=0), "timeout_ms"),
    ],
)  # fmt: skip
def test_reranking_is_bounded(rerank: Rerank, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan_text(text(overrides=Overrides(rerank=rerank)), DOCS, LIMITS)
    assert refused.value.fields["field"] == f"settings.rerank.{field}"


def test_a_model_that_is_no_must_leaves_time_to_answer_without_it() -> None:
    limits = SearchLimits(timeout_s=5.0)
    plan = plan_text(text(overrides=Overrides(hyde=Hyde(), rerank=Rerank())), DOCS, limits)
    assert plan.hyde is not None
    assert plan.rerank is not None
    assert (plan.hyde.timeout_ms, plan.rerank.timeout_ms) == (4000, 1000)


def test_only_scores_can_be_reranked() -> None:
    with pytest.raises(InvalidInput, match="fusion of type scores"):
        plan_text(text(overrides=Overrides(rerank=Rerank(), fusion=Rrf())), DOCS, LIMITS)
