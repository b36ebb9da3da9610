"""A rollout at one moment, over a real control store."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from control_suite import collection
from rollout_world import START, canary_of, judgement

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.evidence import VariantTick
from vectis.domain.judgements import Verdict
from vectis.domain.routes import RoutePlan, Target
from vectis.domain.traffic import TickReport
from vectis.rollouts.pictures import Onlooker
from vectis.rollouts.transitions import at_stage, in_grace, paused

BEGUN = canary_of()
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def store() -> AsyncIterator[SqlStore]:
    store = await open_store("sqlite:///:memory:")
    for name in ("docs_1", "docs_2"):
        await store.add_collection(collection(name))
    await store.add_rollout(BEGUN, by="ada")
    yield store
    await store.close()


def report(version: int, number: int, queries: int) -> TickReport:
    started = START + timedelta(seconds=5 * number)
    return TickReport("docs", version, started, "stable", "api-1", VariantTick(queries=queries, latency={35: queries}))


async def test_figures_are_of_the_version_in_force_and_grow(store: SqlStore) -> None:
    route = await store.set_route("docs", RoutePlan((Target("docs_1"),)))
    onlooker = Onlooker(store)
    await store.put_traffic([report(route.version, 0, 3), report(route.version - 1, 0, 100)], [])
    first = await onlooker.look(BEGUN, START + MINUTE)
    assert (first.route, first.figures["stable"].queries, first.figures["stable"].p50_ms) == (route, 3, 2.0)
    await store.put_traffic([report(route.version, 20, 4)], [])
    assert (await onlooker.look(BEGUN, START + 2 * MINUTE)).figures["stable"].queries == 7
    await store.set_route("docs", RoutePlan((Target("docs_1"), Target("docs_2", "candidate", 0.0))))
    await store.put_traffic([report(route.version + 1, 0, 100)], [])
    assert (await onlooker.look(BEGUN, START + 3 * MINUTE)).figures["stable"].queries == 100


async def test_the_judgement_is_of_where_it_stands(store: SqlStore) -> None:
    first = at_stage(BEGUN, 0, "")
    second = at_stage(first, 1, "")
    for rollout in (first, second):
        assert await store.keep_rollout(rollout, by="reconciler", now=START)
    await store.keep_judgements("r1", first.generation, {"candidate": judgement(Verdict.SUCCESSFUL)})
    assert (await Onlooker(store).look(second, START)).judgements == {}
    rests = paused(second, "for a look")
    assert await store.keep_rollout(rests, by="ada pause", now=START)
    await store.keep_judgements("r1", second.generation, {"candidate": judgement(Verdict.FAILED)})
    assert (await Onlooker(store).look(rests, START)).judgements == {"candidate": judgement(Verdict.FAILED)}


async def test_of_an_ended_rollout_only_its_own_is_shown(store: SqlStore) -> None:
    await store.set_route("docs", RoutePlan((Target("docs_1"),)))
    ended = in_grace(BEGUN, START, "over")
    assert await store.keep_rollout(ended, by="reconciler", now=START)
    picture = await Onlooker(store).look(ended, START + MINUTE)
    assert (picture.route, picture.figures) == (None, {})
    assert [each.generation for each in picture.transitions] == [1, 2]
