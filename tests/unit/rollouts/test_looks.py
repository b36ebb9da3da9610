"""Looks at a stage over a real store: what was observed is read from the stage's beginning on, once, and every look is kept."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from rollout_world import ONLY, START, latency_counts, spec_of

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.engine import MemoryEngine
from vectis.adapters.sql.store import SqlStore, open_store
from vectis.catalog.profiles import vectors_profile
from vectis.domain.collections import Collection
from vectis.domain.errors import CollectionNotFound, EmbedderUnavailable, VectisError
from vectis.domain.evidence import ShadowPair, VariantTick
from vectis.domain.feedback import AnsweredQuery, FeedbackKind, Opinion
from vectis.domain.judgements import Judgement, Metric, Verdict
from vectis.domain.points import Point
from vectis.domain.rollouts import Candidate, ChangeKind, KnownAnswer, Phase, Rollout, Stage, Step, Strategy, Validation
from vectis.domain.schema import CollectionSchema
from vectis.domain.traffic import TICK_S, PairReport, TickReport
from vectis.rollouts.judged_queries import JudgedQueries
from vectis.rollouts.looks import StageJudge
from vectis.rollouts.observing import EvidenceReader
from vectis.rollouts.transitions import at_stage, extended, paused, taken_out

VERSION = 7
BEGAN = START + timedelta(seconds=2)
FIRST = START
"""When the stage began, and the tick in which it did."""

SETTLED_S = 15.0
ERRORS = Metric("error_rate", margin=0.02, tolerance=0.1, samples_min=10)
PREFERENCE = Metric("preference", margin=0.02, tolerance=0.05)
NDCG = Metric("ndcg@10", margin=0.02, tolerance=0.5, samples_min=1)
HALF = Stage(50, duration_s=60)
KNOWN = (KnownAnswer("where", {"here": 1}), KnownAnswer("when", {"now": 1}))


class Observed:
    """One rollout in a stage; the judge that looks at it can be lost and made anew."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.clock = ManualClock(BEGAN)
        self.engine = MemoryEngine()
        self.asked: list[str] = []
        self.error: VectisError | None = None
        spec = replace(spec_of(Strategy.CANARY), stages=(HALF,), metrics=(ERRORS,), validation=Validation(judged=KNOWN))
        self.rollout = Rollout(
            "r1", spec, "docs_1", ONLY, START, step=Step.STAGE, phase=Phase.PROGRESSING,
            since=BEGAN, route_version=VERSION,
        )  # fmt: skip
        self.restart()

    def restart(self) -> None:
        evidence = EvidenceReader(
            traffic=self.store,
            feedback=self.store,
            judged=JudgedQueries(self.ask, self.measure),
            points=self.engine,
            clock=self.clock,
        )
        self.judge = StageJudge(store=self.store, evidence=evidence)

    async def ask(self, collection: str, query: str) -> list[str]:
        if self.error is not None:
            raise self.error
        self.asked.append(query)
        return [collection]

    def measure(
        self, grades: Mapping[str, Mapping[str, int]], answers: Mapping[str, Sequence[str]]
    ) -> Mapping[str, Mapping[str, float]]:
        return {"ndcg@10": {query: 0.5 for query in answers}, "recall@10": {query: 0.5 for query in answers}}

    async def report(self, at: datetime, *, failing: bool = False, version: int = VERSION, keys: int = 0) -> None:
        """Twenty queries of each variant in the tick that began then, each by a user of its own, unless `keys` counts them."""
        variants = {
            "stable": VariantTick(queries=20, latency=latency_counts([10.0] * 20), keys=20 - keys),
            "candidate": VariantTick(queries=20, errors=20 * failing, latency={}, keys=20 - keys),
        }
        await self.store.put_traffic(
            [
                TickReport("docs", version, at, name, "api-1", tick, frozenset(range(first, first + keys)))
                for first, (name, tick) in zip((0, 1000), variants.items(), strict=True)
            ],
            [],
        )  # fmt: skip

    async def look(self) -> Judgement | None:
        """At the only candidate."""
        return (await self.judge.judgements(self.rollout)).get("candidate")


@pytest.fixture
async def observed() -> AsyncIterator[Observed]:
    store = await open_store("sqlite:///:memory:")
    observed = Observed(store)
    await store.add_rollout(observed.rollout, by="test")
    yield observed
    await store.close()


def samples(judgement: Judgement | None) -> int:
    assert judgement is not None
    return judgement.metrics[0].samples


async def test_nothing_is_said_before_a_tick_is_whole(observed: Observed) -> None:
    await observed.report(FIRST)
    assert await observed.look() is None
    observed.clock.advance(SETTLED_S)
    assert samples(await observed.look()) == 20


async def test_each_look_adds_what_came_since_and_is_kept(observed: Observed) -> None:
    await observed.report(FIRST)
    observed.clock.advance(SETTLED_S)
    first = await observed.look()
    assert await observed.look() is first
    await observed.report(FIRST + timedelta(seconds=2 * TICK_S))
    observed.clock.advance(SETTLED_S)
    second = await observed.look()
    assert (samples(first), samples(second)) == (20, 40)
    assert await observed.store.judgements("r1") == {1: {"candidate": second}}


async def test_pause_extension_and_another_worker_lose_no_traffic(observed: Observed) -> None:
    await observed.report(FIRST)
    await observed.report(FIRST + timedelta(seconds=TICK_S), version=VERSION + 2)  # somebody wrote the route meanwhile
    observed.clock.advance(3600)
    whole = await observed.look()
    assert samples(whole) == 40
    observed.rollout = extended(paused(observed.rollout, "for a while"), 60, "more time")
    assert await observed.look() is whole
    observed.restart()
    assert samples(await observed.look()) == 40


async def test_what_came_before_the_stage_does_not_count(observed: Observed) -> None:
    await observed.report(FIRST, version=VERSION - 1)
    await observed.report(FIRST - timedelta(seconds=TICK_S))
    observed.clock.advance(SETTLED_S)
    judgement = await observed.look()
    assert judgement is not None
    assert judgement.verdict is Verdict.ERROR
    assert judgement.metrics[0].reason == "nothing was observed"


async def test_a_key_counts_once_in_all_looks(observed: Observed) -> None:
    await observed.report(FIRST, keys=20)
    observed.clock.advance(SETTLED_S)
    assert (judgement := await observed.look()) is not None
    assert judgement.split.samples == 40
    await observed.report(FIRST + timedelta(seconds=2 * TICK_S), keys=20)
    observed.clock.advance(SETTLED_S)
    assert (judgement := await observed.look()) is not None
    assert (judgement.split.samples, samples(judgement)) == (40, 40)


async def test_ticks_get_longer_and_are_looked_at_when_they_are_whole(observed: Observed) -> None:
    late = FIRST + timedelta(hours=2)
    for number in range(3):
        await observed.report(late + timedelta(seconds=30 * number))
    observed.clock.advance((late - BEGAN).total_seconds() + 59)
    assert (judgement := await observed.look()) is not None
    assert judgement.verdict is Verdict.ERROR
    observed.clock.advance(15)
    assert samples(await observed.look()) == 40
    observed.clock.advance(30)
    assert samples(await observed.look()) == 40
    observed.clock.advance(30)
    assert samples(await observed.look()) == 60


async def test_judged_queries_are_asked_once_a_stage(observed: Observed) -> None:
    observed.rollout = replace(observed.rollout, spec=replace(observed.rollout.spec, metrics=(NDCG,)))
    for _ in range(3):
        observed.clock.advance(SETTLED_S)
        assert samples(await observed.look()) == 2
    assert observed.asked == ["where", "when"] * 2
    observed.rollout = replace(observed.rollout, since=observed.clock.now())
    observed.clock.advance(SETTLED_S)
    await observed.look()
    assert len(observed.asked) == 8


async def test_what_users_say_is_judged_when_its_time_is_over(observed: Observed) -> None:
    observed.rollout = replace(observed.rollout, spec=replace(observed.rollout.spec, metrics=(PREFERENCE,)))
    for number in range(300):
        answered = AnsweredQuery("docs", VERSION, "candidate", 50.0, number, f"q{number}", 0)
        assert await observed.store.put_opinion(Opinion(answered, FeedbackKind.CLICK, "r", 1.0, BEGAN))
    observed.clock.advance(SETTLED_S)
    assert samples(await observed.look()) == 0
    observed.clock.advance(60)
    assert (judgement := await observed.look()) is not None
    assert (judgement.verdict, samples(judgement)) == (Verdict.SUCCESSFUL, 300)


async def test_where_answers_are_mixed_only_these_tell_what_users_prefer(observed: Observed) -> None:
    stages = (replace(HALF, interleave_percent=10),)
    observed.rollout = replace(
        observed.rollout, spec=replace(observed.rollout.spec, stages=stages, metrics=(PREFERENCE,))
    )
    for number in range(120):
        answered = AnsweredQuery("docs", VERSION, "stable", 50.0, number, f"q{number}", 0)
        mixed = replace(answered, variant="candidate", teams=b"", key=1000 + number, query=f"m{number}")
        for said in (
            Opinion(answered, FeedbackKind.CLICK, "r", 1.0, BEGAN),
            Opinion(mixed, FeedbackKind.CLICK, "r", 1.0, BEGAN, "candidate"),
        ):
            assert await observed.store.put_opinion(said)
    observed.clock.advance(SETTLED_S + 60)
    assert (judgement := await observed.look()) is not None
    assert (judgement.verdict, samples(judgement), judgement.metrics[0].worsening) == (Verdict.SUCCESSFUL, 120, -0.5)


async def test_while_the_embedder_is_away_traffic_is_judged_all_the_same(observed: Observed) -> None:
    observed.rollout = replace(observed.rollout, spec=replace(observed.rollout.spec, metrics=(NDCG, ERRORS)))
    observed.error = EmbedderUnavailable("away")
    await observed.report(FIRST, failing=True)
    observed.clock.advance(SETTLED_S)
    assert (judgement := await observed.look()) is not None
    assert [metric.verdict for metric in judgement.metrics[:2]] == [Verdict.ERROR, Verdict.FAILED]
    observed.error = None
    observed.clock.advance(SETTLED_S)
    assert samples(await observed.look()) == 2


async def test_what_cannot_be_asked_is_an_error_that_says_why(observed: Observed) -> None:
    observed.rollout = replace(observed.rollout, spec=replace(observed.rollout.spec, metrics=(NDCG,)))
    observed.error = CollectionNotFound("docs_1 is gone")
    observed.clock.advance(SETTLED_S)
    assert (judgement := await observed.look()) is not None
    assert judgement.verdict is Verdict.ERROR
    assert "docs_1 is gone" in judgement.reason


async def test_a_watch_is_judged_by_mirrored_queries_alone(observed: Observed) -> None:
    spec = replace(observed.rollout.spec, metrics=None, change=ChangeKind.REFRESH)
    observed.rollout = replace(observed.rollout, spec=spec, step=Step.WATCH, chosen="candidate")
    await observed.report(FIRST, failing=True)
    empty = ShadowPair("q", ("a", "b"), (), 5.0, 5.0)
    pairs = [PairReport("docs", VERSION + 1, "api-1", number, BEGAN, empty) for number in range(50)]
    await observed.store.put_traffic([], pairs)
    observed.clock.advance(SETTLED_S)
    assert (judgement := await observed.look()) is not None
    assert judgement.verdict is Verdict.FAILED
    assert judgement.reason.startswith("churn: ")
    assert {metric.name for metric in judgement.metrics} == {"latency_paired", "churn"}
    assert judgement.different == (empty,) * 5


async def test_payload_keys_that_points_lost_are_seen(observed: Observed) -> None:
    payload = Metric("payload", margin=0.1, tolerance=0.1)
    observed.rollout = replace(observed.rollout, spec=replace(observed.rollout.spec, metrics=(payload,)))
    for name, keys in (("docs_1", {"title": "t", "year": 1}), ("docs_2", {"title": "t"})):
        await observed.engine.create(name, CollectionSchema(quantization=None))
        await observed.engine.upsert(name, [Point(number, {}, keys) for number in range(20)])
    observed.clock.advance(SETTLED_S)
    assert (judgement := await observed.look()) is not None
    assert judgement.verdict is Verdict.FAILED
    assert (judgement.metrics[0].stable, judgement.metrics[0].candidate) == (1.0, 0.0)


async def test_a_candidate_that_missed_a_write_fails_where_nothing_else_is_judged(observed: Observed) -> None:
    stages = (replace(HALF, weight_percent=100),)
    observed.rollout = replace(observed.rollout, spec=replace(observed.rollout.spec, stages=stages))
    assert (judgement := await observed.look()) is not None
    assert judgement.verdict is Verdict.SUCCESSFUL
    await observed.store.add_collection(Collection("docs_2", vectors_profile(), START))
    await observed.store.note_divergence("docs_2", "the engine was away", START)
    assert (judgement := await observed.look()) is not None
    assert judgement.verdict is Verdict.FAILED
    assert "it missed 1 writes" in judgement.reason
    assert (await observed.store.judgements("r1"))[1] == {"candidate": judgement}


def with_three(observed: Observed) -> None:
    """An experiment in the same stage: 30 and 10 percent, the rest on stable."""
    spec = replace(observed.rollout.spec, stages=(replace(HALF, weight_percent=40),))
    candidates = (Candidate("docs_a", "a", 30.0), Candidate("docs_b", "b", 10.0))
    observed.rollout = replace(observed.rollout, spec=spec, candidates=candidates)


async def test_each_variant_is_held_against_stable_alone(observed: Observed) -> None:
    with_three(observed)
    ticks = {
        "stable": VariantTick(queries=600, latency=latency_counts([10.0] * 600), keys=600),
        "a": VariantTick(queries=300, latency=latency_counts([10.0] * 300), keys=300),
        "b": VariantTick(queries=100, errors=50, latency=latency_counts([10.0] * 50), keys=100),
    }
    reports = [TickReport("docs", VERSION, FIRST, name, "api-1", tick) for name, tick in ticks.items()]
    pair = ShadowPair("q", ("x",), ("y",), 5.0, 5.0, variant="b")
    await observed.store.put_traffic(reports, [PairReport("docs", VERSION, "api-1", 1, BEGAN, pair)])
    observed.clock.advance(SETTLED_S)
    found = await observed.judge.judgements(observed.rollout)
    assert {name: (each.verdict, samples(each)) for name, each in found.items()} == {
        "a": (Verdict.SUCCESSFUL, 300),
        "b": (Verdict.FAILED, 100),
    }
    assert {name: (each.split.stable, each.split.samples) for name, each in found.items()} == {
        "a": (pytest.approx(30 / 90), 900),
        "b": (pytest.approx(10 / 70), 700),
    }
    assert {name: each.different for name, each in found.items()} == {"a": (), "b": (pair,)}
    assert await observed.store.judgements("r1") == {1: found}


async def test_when_one_is_taken_out_the_others_are_judged_on_and_its_last_judgement_stays(observed: Observed) -> None:
    with_three(observed)
    await observed.report(FIRST)
    observed.clock.advance(SETTLED_S)
    before = await observed.judge.judgements(observed.rollout)
    fewer = taken_out(observed.rollout, {"b": "too slow"})
    assert await observed.store.keep_rollout(fewer, by="reconciler", now=observed.clock.now())
    observed.rollout = fewer
    assert (await observed.judge.judgements(fewer)).keys() == {"a"}
    over = at_stage(fewer, 1, "passed")
    observed.restart()
    last = await observed.judge.judgements(replace(over, step=Step.SWITCH))
    assert last.keys() == {"a", "b"}
    assert last["b"] == before["b"]


async def test_a_rollout_that_goes_on_is_forgotten(observed: Observed) -> None:
    await observed.report(FIRST)
    observed.clock.advance(SETTLED_S)
    assert samples(await observed.look()) == 20
    stage = observed.rollout
    observed.rollout = replace(stage, step=Step.GRACE)
    assert await observed.look() is None
    observed.rollout = stage
    assert samples(await observed.look()) == 20
