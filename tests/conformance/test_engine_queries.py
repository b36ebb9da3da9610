"""Queries on every engine: formulas by hand on a few points, then hundreds of points against the memory engine."""

from collections.abc import AsyncIterator
from math import log
from typing import NamedTuple
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from engine_suite import (
    SCHEMA,
    SMALL,
    assert_same,
    assert_scores,
    corpus,
    filter_of,
    near,
    nearest,
    needs,
    one,
    plain,
    questions,
    ranked,
    sparse,
    vector,
)

from vectis.adapters.memory.engine import MemoryEngine
from vectis.domain.errors import InvalidInput, InvalidVector, WrongDimension
from vectis.domain.points import Point, SparseVector
from vectis.domain.ports.engine import Engine
from vectis.domain.queries import Dbsf, EngineQuery, Nearest, Rrf, SearchParams
from vectis.domain.schema import CollectionSchema, DenseParams, Distance, OptimizerParams, ScalarQuantization

pytestmark = pytest.mark.asyncio(loop_scope="session")

RED = filter_of(
    {"must": [{"key": "color", "match": {"value": "red"}}], "must_not": [{"key": "tags", "match": {"value": "a"}}]}
)


class Twin(NamedTuple):
    """The same collection in the engine under test and in the memory engine."""

    engine: Engine
    name: str
    reference: MemoryEngine

    async def agrees(self, query: EngineQuery) -> int:
        """Assert that both answer alike; how many hits there were."""
        whole = await self.reference.query(self.name, msgspec.structs.replace(query, offset=0, limit=10_000))
        answer = await self.engine.query(self.name, query)
        assert_same(answer, ranked(whole), query.offset, query.limit)
        return len(answer)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def twin(engine: Engine) -> AsyncIterator[Twin]:
    """400 points in both."""
    reference, name = MemoryEngine(), f"twin-{uuid4().hex[:8]}"
    for target in (engine, reference):
        await target.create(name, SCHEMA)
        await target.upsert(name, corpus(400))
    yield Twin(engine, name, reference)
    await engine.drop(name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tiny(engine: Engine) -> AsyncIterator[str]:
    """Five points whose scores can be worked out by hand."""
    name = f"tiny-{uuid4().hex[:8]}"
    await engine.create(name, SCHEMA)
    await engine.upsert(
        name,
        [
            Point(
                i,
                {
                    "dot": vector(i, 0, 1, 0),
                    "euclid": vector(i, 0, 0, 0),
                    "manhattan": vector(i, i, 0, 0),
                    "dense": vector(6 - i, i, 0, 0, 0, 0, 0, 0),
                    "sparse": SparseVector([1, 10 + i], [1.0, 0.5 * i]),
                    "plain": SparseVector([1, 10 + i], [-1.0 * i, 2.0]),
                },
                {"n": i},
            )
            for i in range(1, 6)
        ],
    )
    yield name
    await engine.drop(name)


async def test_distances_by_hand(engine: Engine, tiny: str) -> None:
    assert_scores(await engine.query(tiny, one(nearest([1, 0, 2, 0], "dot"))), [(i, i + 2) for i in (5, 4, 3, 2, 1)])
    euclid = [(2, 0.2), (3, 0.8), (1, 1.2), (4, 1.8), (5, 2.8)]
    assert_scores(await engine.query(tiny, one(nearest([2.2, 0, 0, 0], "euclid"))), euclid)
    manhattan = [(2, 0.5), (3, 1.5), (1, 2.5), (4, 3.5), (5, 5.5)]
    assert_scores(await engine.query(tiny, one(nearest([2.5, 2, 0, 0], "manhattan"))), manhattan)
    cosine = [(i, (6 - i) / ((6 - i) ** 2 + i**2) ** 0.5) for i in range(1, 6)]
    assert_scores(await engine.query(tiny, one(nearest([9, 0, 0, 0, 0, 0, 0, 0]))), cosine)


async def test_idf_by_hand(engine: Engine, tiny: str) -> None:
    common, rare = log((5 - 5 + 0.5) / (5 + 0.5) + 1), log((5 - 1 + 0.5) / (1 + 0.5) + 1)
    answer = await engine.query(tiny, one(sparse({1: 2.0, 13: 1.0, 999: 5.0})))
    assert answer[0].id == 3
    assert near(answer[0].score, 2 * common + 1.5 * rare)
    assert sorted(str(p.id) for p in answer[1:]) == ["1", "2", "4", "5"]
    assert all(near(p.score, 2 * common) for p in answer[1:])


async def test_sparse_without_idf_by_hand(engine: Engine, tiny: str) -> None:
    answer = await engine.query(tiny, one(sparse({1: 1.0, 14: 3.0}, "plain")))
    assert_scores(answer, [(4, 2.0), (1, -1.0), (2, -2.0), (3, -3.0), (5, -5.0)])
    assert_scores(await engine.query(tiny, one(sparse({12: 1.0}, "plain"))), [(2, 2.0)])
    assert await engine.query(tiny, one(sparse({777: 1.0}, "plain"))) == []


def pair(**rest: object) -> tuple[Nearest, Nearest]:
    """Two lists of three on `tiny`: 5, 4, 3 with scores 7, 6, 5 and 3, 2, 5 by 2.0, 1.5, 1.0 (see `test_lists`)."""
    return nearest([1, 0, 2, 0], "dot", limit=3), sparse({13: 1.0, 12: 0.75, 15: 0.5}, "plain", limit=3)


async def test_lists(engine: Engine, tiny: str) -> None:
    first, second = pair()
    assert_scores(await engine.query(tiny, one(first)), [(5, 7), (4, 6), (3, 5)])
    assert_scores(await engine.query(tiny, one(second)), [(3, 2.0), (2, 1.5), (5, 1.0)])


async def test_rrf_by_hand(engine: Engine, tiny: str) -> None:
    for k in (1, 2, 60):
        answer = await engine.query(tiny, EngineQuery(pair(), 10, fusion=Rrf(k=k)))
        expected = {5: 1 / k + 1 / (k + 2), 3: 1 / (k + 2) + 1 / k, 4: 1 / (k + 1), 2: 1 / (k + 1)}
        assert {p.id for p in answer[:2]} == {5, 3}
        assert {p.id for p in answer[2:]} == {4, 2}
        assert all(near(p.score, expected[int(p.id)]) for p in answer)


async def test_weighted_rrf_by_hand(engine: Engine, tiny: str) -> None:
    answer = await engine.query(tiny, EngineQuery(pair(), 10, fusion=Rrf(k=60, weights=[3.0, 1.0])))

    def part(rank: int, weight: float) -> float:
        return 1 / ((rank + 1) / weight + 59)

    assert_scores(
        answer,
        [(3, part(2, 3) + part(0, 1)), (5, part(0, 3) + part(2, 1)), (4, part(1, 3)), (2, part(1, 1))],
    )


async def test_dbsf_by_hand(engine: Engine, tiny: str) -> None:
    answer = await engine.query(tiny, EngineQuery(pair(), 10, fusion=Dbsf()))
    step = 1 / 6  # both lists are evenly spaced, so their neighbours are one sigma apart
    assert near(answer[0].score, 1.0)
    assert {p.id for p in answer[:2]} == {5, 3}
    assert_scores(answer[2:], [(4, 0.5), (2, 0.5)] if answer[2].id == 4 else [(2, 0.5), (4, 0.5)])
    assert near(answer[1].score, (0.5 + step) + (0.5 - step))


async def test_dbsf_of_single_hits(engine: Engine, tiny: str) -> None:
    query = EngineQuery((nearest([1, 0, 2, 0], "dot", limit=1), sparse({12: 1.0}, "plain")), 10, fusion=Dbsf())
    assert {(p.id, round(p.score, 4)) for p in await engine.query(tiny, query)} == {(5, 0.5), (2, 0.5)}


async def test_fusion_of_one_prefetch_and_of_empty_ones(engine: Engine, tiny: str) -> None:
    alone = EngineQuery((nearest([1, 0, 2, 0], "dot", limit=2),), 10, fusion=Rrf(k=60))
    assert_scores(await engine.query(tiny, alone), [(5, 1 / 60), (4, 1 / 61)])
    nothing = sparse({777: 1.0}, "plain")
    for fusion in (Rrf(k=60), Dbsf()):
        assert await engine.query(tiny, EngineQuery((nothing, nothing), 10, fusion=fusion)) == []
        half = EngineQuery((nearest([1, 0, 2, 0], "dot", limit=2), nothing), 10, fusion=fusion)
        assert [p.id for p in await engine.query(tiny, half)] == [5, 4]


async def test_a_prefetch_bounds_the_list(engine: Engine, tiny: str) -> None:
    prefetch = nearest([1, 0, 2, 0], "dot", limit=3)
    assert [p.id for p in await engine.query(tiny, one(prefetch, offset=1))] == [4, 3]
    assert await engine.query(tiny, one(prefetch, offset=3)) == []


async def test_score_thresholds(engine: Engine, tiny: str) -> None:
    dot = [1, 0, 2, 0]
    assert [p.id for p in await engine.query(tiny, one(nearest(dot, "dot"), score_threshold=5.5))] == [5, 4]
    assert [p.id for p in await engine.query(tiny, one(nearest(dot, "dot", score_threshold=5.5)))] == [5, 4]
    both = one(nearest(dot, "dot", score_threshold=4.5), score_threshold=5.5)
    assert [p.id for p in await engine.query(tiny, both)] == [5, 4]
    both = one(nearest(dot, "dot", score_threshold=5.5), score_threshold=4.5)
    assert [p.id for p in await engine.query(tiny, both)] == [5, 4]
    euclid = one(nearest([2.2, 0, 0, 0], "euclid"), score_threshold=1.0)
    assert [p.id for p in await engine.query(tiny, euclid)] == [2, 3]
    assert [p.id for p in await engine.query(tiny, one(sparse({12: 1.1, 1: 1.0}, "plain"), score_threshold=-1.5))] == [
        2,
        1,
    ]
    fused = EngineQuery(pair(), 10, fusion=Rrf(k=60), score_threshold=1 / 61 + 0.001)
    assert {p.id for p in await engine.query(tiny, fused)} == {5, 3}
    first, second = pair()
    within = EngineQuery((msgspec.structs.replace(first, score_threshold=6.5), second), 10, fusion=Rrf(k=60))
    assert {p.id for p in await engine.query(tiny, within)} == {5, 3, 2}


async def test_what_comes_with_a_hit(engine: Engine, tiny: str) -> None:
    prefetch = nearest([1, 0, 2, 0], "dot")
    for query in (one(prefetch, 1), EngineQuery((prefetch, prefetch), 1, fusion=Rrf())):
        (hit,) = await engine.query(tiny, query)
        assert (hit.payload, hit.vectors) == ({"n": 5}, None)
        (hit,) = await engine.query(
            tiny, msgspec.structs.replace(query, with_payload=False, with_vectors=["dot", "plain"])
        )
        assert hit.payload is None
        assert hit.vectors == {"dot": vector(5, 0, 1, 0), "plain": SparseVector([1, 15], [-5.0, 2.0])}
        (hit,) = await engine.query(tiny, msgspec.structs.replace(query, with_vectors=True))
        assert set(hit.vectors or {}) == {"dense", "dot", "euclid", "manhattan", "sparse", "plain"}


BAD: dict[str, tuple[EngineQuery, type[InvalidInput]]] = {
    "unknown dense": (one(nearest([1, 0], "nope")), InvalidVector),
    "unknown sparse": (one(sparse({1: 1.0}, "nope")), InvalidVector),
    "dense against sparse": (one(nearest([1, 0], "sparse")), InvalidVector),
    "sparse against dense": (one(sparse({1: 1.0}, "dense")), InvalidVector),
    "too short": (one(nearest([1, 0], "dot")), WrongDimension),
    "too long": (one(nearest([1.0] * 9, "dense")), WrongDimension),
    "wrong in a fusion": (EngineQuery((nearest([1.0] * 8), nearest([1, 0], "dot")), 5, fusion=Rrf()), WrongDimension),
    "unknown in a fusion": (
        EngineQuery((nearest([1.0] * 8), sparse({1: 1.0}, "nope")), 5, fusion=Dbsf()),
        InvalidVector,
    ),
    "no prefetch": (EngineQuery((), 5), InvalidInput),
    "two prefetches without fusion": (EngineQuery((nearest([1.0] * 8), nearest([1.0] * 8)), 5), InvalidInput),
    "weights that do not fit": (EngineQuery((nearest([1.0] * 8),), 5, fusion=Rrf(weights=[1.0, 2.0])), InvalidInput),
    "k of 0": (EngineQuery((nearest([1.0] * 8),), 5, fusion=Rrf(k=0)), InvalidInput),
}


@pytest.mark.parametrize("case", BAD)
async def test_queries_that_make_no_sense(engine: Engine, tiny: str, case: str) -> None:
    needs(engine, case)
    query, error = BAD[case]
    with pytest.raises(error):
        await engine.query(tiny, query)


async def test_a_dimension_error_says_both(engine: Engine, tiny: str) -> None:
    with pytest.raises(WrongDimension) as caught:
        await engine.query(tiny, one(nearest([1, 0, 0], "dot")))
    assert (caught.value.fields["given"], caught.value.fields["expected"]) == (3, 4)


@pytest.mark.parametrize("using", ["dense", "dot", "euclid", "manhattan", "sparse", "plain"])
@pytest.mark.parametrize("filter", [None, RED], ids=["all", "filtered"])
async def test_ranking_of_one_vector(twin: Twin, using: str, filter) -> None:
    hits = 0
    for point in questions(6):
        prefetch = Nearest(point.vectors[using], using, 1000)
        hits += await twin.agrees(one(prefetch, limit=25, filter=filter))
        hits += await twin.agrees(one(prefetch, limit=7, offset=20, filter=filter))
        hits += await twin.agrees(one(prefetch, limit=10, offset=5000, filter=filter))
    assert hits > 100


@pytest.mark.parametrize(
    "fusion",
    [
        Rrf(),
        Rrf(k=2),
        Rrf(k=10, weights=[3.0, 1.0]),
        Rrf(k=60, weights=[0.2, 0.8]),
        Rrf(k=60, weights=[0.0, 1.0]),
        Dbsf(),
    ],
    ids=["k=60", "k=2", "3 to 1", "1 to 4", "0 to 1", "dbsf"],
)
@pytest.mark.parametrize("filter", [None, RED], ids=["all", "filtered"])
async def test_ranking_of_hybrids(twin: Twin, fusion, filter) -> None:
    for point in questions(6, seed=3):
        dense, terms = Nearest(point.vectors["dense"], "dense", 100), Nearest(point.vectors["sparse"], "sparse", 50)
        for limit, offset in ((10, 0), (30, 15)):
            await twin.agrees(EngineQuery((dense, terms), limit, offset, fusion, filter))


async def test_ranking_of_three_lists(twin: Twin) -> None:
    for point in questions(4, seed=5):
        prefetches = tuple(Nearest(point.vectors[using], using, 40) for using in ("dense", "sparse", "dot"))
        for fusion in (Rrf(), Rrf(weights=[1.0, 2.0, 0.5]), Dbsf()):
            assert await twin.agrees(EngineQuery(prefetches, 20, fusion=fusion)) == 20


async def test_batch_answers_each_query_in_order(twin: Twin) -> None:
    points = questions(5, seed=9)
    queries = [
        one(Nearest(p.vectors["dense"], "dense", 50), limit=3 + i, with_payload=i % 2 == 0)
        for i, p in enumerate(points)
    ]
    queries.insert(2, one(Nearest(points[0].vectors["sparse"], "sparse", 50), limit=0))
    legs = Nearest(points[0].vectors["dense"], "dense", 9), Nearest(points[1].vectors["sparse"], "sparse", 9)
    queries.append(EngineQuery(legs, 4, fusion=Dbsf()))
    answers = await twin.engine.query_batch(twin.name, queries)
    assert len(answers) == len(queries)
    for query, answer in zip(queries, answers, strict=True):
        alone = await twin.engine.query(twin.name, query)
        assert [(p.id, p.payload) for p in answer] == [(p.id, p.payload) for p in alone]
        assert len(answer) == query.limit
    assert await twin.engine.query_batch(twin.name, []) == []


async def test_one_bad_query_spoils_its_batch(twin: Twin) -> None:
    good = one(nearest([1.0] * 8))
    with pytest.raises(WrongDimension):
        await twin.engine.query_batch(twin.name, [good, one(nearest([1.0] * 3)), good])
    assert len((await twin.engine.query_batch(twin.name, [good]))[0]) == 10


@pytest.mark.usefixtures("tidy")
async def test_exact_search_on_an_indexed_collection(engine: Engine, unique: str) -> None:
    if not engine.features.hnsw:
        pytest.skip(f"{engine.features.name} declares that it has no HNSW, so every search is exact")
    reference = MemoryEngine()
    schema = CollectionSchema(
        dense={"dense": DenseParams(size=8)}, quantization=None, optimizers=OptimizerParams(indexing_threshold=10)
    )
    points = [Point(p.id, {"dense": p.vectors["dense"]}) for p in corpus(2000)]
    for target in (engine, reference):
        await target.create(unique, schema)
        await target.upsert(unique, points)
    await engine.optimize(unique)
    twin = Twin(engine, unique, reference)
    for point in questions(10):
        exact = Nearest(point.vectors["dense"], "dense", 1000, SearchParams(exact=True))
        await twin.agrees(one(exact, limit=50))
        quick = await engine.query(unique, one(Nearest(point.vectors["dense"], "dense", 50, SearchParams(hnsw_ef=256))))
        best = [p.id for p in await reference.query(unique, one(exact))]
        assert len({p.id for p in quick} & set(best)) >= 9


@pytest.mark.usefixtures("tidy")
async def test_quantization_with_rescoring_and_oversampling(engine: Engine, unique: str) -> None:
    if not engine.features.quantization:
        pytest.skip(f"{engine.features.name} declares that it has no quantization")
    reference = MemoryEngine()
    schema = CollectionSchema(
        dense={"dense": DenseParams(size=8, distance=Distance.COSINE)},
        quantization=ScalarQuantization(quantile=1.0),
        optimizers=OptimizerParams(indexing_threshold=10),
    )
    points = [Point(p.id, {"dense": p.vectors["dense"]}) for p in corpus(2000)]
    await engine.create(unique, schema)
    await reference.create(unique, msgspec.structs.replace(schema, quantization=None))
    for target in (engine, reference):
        await target.upsert(unique, points)
    await engine.optimize(unique)
    rough_differs = False
    for point in questions(10):
        ask = Nearest(point.vectors["dense"], "dense", 10)
        whole = dict(ranked(await reference.query(unique, one(Nearest(ask.vector, "dense", 2000), limit=2000))))
        rescored = SearchParams(hnsw_ef=256, rescore=True, oversampling=4.0)
        answer = await engine.query(unique, one(msgspec.structs.replace(ask, params=rescored)))
        assert all(near(p.score, whole[p.id]) for p in answer)
        assert len({p.id for p in answer} & set(list(whole)[:10])) >= 9
        rough = await engine.query(
            unique, one(msgspec.structs.replace(ask, params=SearchParams(hnsw_ef=256, rescore=False)))
        )
        assert all(abs(p.score - whole[p.id]) < 0.05 for p in rough)
        rough_differs |= any(not near(p.score, whole[p.id]) for p in rough)
    assert rough_differs, "scores without rescoring come from the quantized vectors"


@pytest.mark.usefixtures("tidy")
async def test_search_parameters_change_nothing_without_an_index(engine: Engine, unique: str) -> None:
    await engine.create(unique, SMALL)
    await engine.upsert(unique, [plain(i, i, 1) for i in range(1, 6)])
    params = SearchParams(hnsw_ef=128, exact=False, rescore=True, oversampling=2.0)
    answer = await engine.query(unique, one(nearest([1, 0], params=params), limit=2))
    assert_scores(answer, [(5, 5.0), (4, 4.0)])
