"""Rollouts on the metrics page, from a real control store."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest
from rollout_world import SPLIT, START, canary_of

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.judgements import Judgement, MetricJudgement, Verdict
from vectis.rollouts.transitions import aborted, at_stage, in_grace, paused
from vectis.runtime.wiring.rollouts import rollout_standings

BEGUN = canary_of()


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    store = await open_store("sqlite:///:memory:")
    yield store
    await store.close()


async def page(store: SqlStore, after_s: float) -> list[str]:
    registry = CollectorRegistry()
    registry.register(await rollout_standings(store, START + timedelta(seconds=after_s)))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


async def test_phase_stage_and_verdicts_of_what_is_under_way(store: SqlStore) -> None:
    await store.add_rollout(BEGUN, by="ada")
    stage = at_stage(BEGUN, 1, "")
    rests = paused(stage, "for a look")
    assert await store.keep_rollout(stage, by="reconciler", now=START + timedelta(seconds=10))
    assert await store.keep_rollout(rests, by="ada pause", now=START + timedelta(seconds=60))
    assert await store.keep_rollout(
        replace(rests, generation=rests.generation + 1), by="x", now=START + timedelta(seconds=70)
    )
    errors = MetricJudgement("error_rate", Verdict.INCONCLUSIVE, "not sure yet", "bets")
    judgement = Judgement(Verdict.INCONCLUSIVE, "not yet", (errors,), SPLIT)
    await store.keep_judgements("r1", rests.generation, {"a": judgement})
    lines = await page(store, 100)
    assert 'vectis_rollout_phase{alias="docs",phase="paused"} 1.0' in lines
    assert 'vectis_rollout_phase{alias="docs",phase="progressing"} 0.0' in lines
    assert 'vectis_rollout_phase_seconds{alias="docs"} 40.0' in lines
    assert 'vectis_rollout_stage{alias="docs"} 2.0' in lines
    assert 'vectis_rollout_verdict{alias="docs",metric="all",variant="a",verdict="inconclusive"} 1.0' in lines
    assert 'vectis_rollout_verdict{alias="docs",metric="error_rate",variant="a",verdict="inconclusive"} 1.0' in lines


async def test_an_alias_with_two_rollouts_shows_the_newer_one_and_counts_both(store: SqlStore) -> None:
    await store.add_rollout(BEGUN, by="ada")
    taken_back = aborted(BEGUN, "no")
    for following in (taken_back, in_grace(taken_back, START, "no")):
        assert await store.keep_rollout(following, by="reconciler", now=START)
    await store.add_rollout(replace(BEGUN, id="r2"), by="ada")
    lines = await page(store, 5)
    assert [line for line in lines if line.startswith("vectis_rollout_phase{") and line.endswith(" 1.0")] == [
        'vectis_rollout_phase{alias="docs",phase="pending"} 1.0'
    ]
    assert 'vectis_rollout_aborts_total{alias="docs"} 1.0' in lines
    assert not [line for line in lines if line.startswith("vectis_rollout_promotions_total")]
