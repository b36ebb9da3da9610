"""Rollouts of every control store: nothing is lost of their history, and a late writer loses."""

import asyncio
from datetime import timedelta

import pytest
from control_suite import NOW
from msgspec.structs import replace
from rollout_world import judgement, spec_of

from vectis.adapters.sql.store import SqlStore, open_store
from vectis.domain.errors import Conflict
from vectis.domain.judgements import Metric, Verdict
from vectis.domain.profiles import SearchSettings
from vectis.domain.rollouts import Candidate, CandidateBuild, Hook, Phase, Rollout, Step, Strategy
from vectis.rollouts.transitions import aborted, changed, in_grace, paused, switched


def rollout(unique: str, *, id: str = "1", alias: str = "docs") -> Rollout:
    spec = replace(
        spec_of(Strategy.CANARY),
        alias=f"{unique}-{alias}",
        metrics=(Metric("churn", margin=0.2, tolerance=0.3, at_least=0.01),),
        hooks=(Hook("http://localhost/agree"),),
    )
    built = Candidate("docs_2", "a", 20.5, CandidateBuild(search=SearchSettings()))
    return Rollout(
        f"{unique}-{id}", spec, "docs_1", (built, Candidate("docs_3", "b", 10.0, out="slow")), created_at=NOW
    )


async def test_a_rollout_comes_back_as_it_was_kept(store: SqlStore, unique: str) -> None:
    begun = rollout(unique)
    await store.add_rollout(begun, by="ada")
    assert await store.rollout(begun.id) == begun
    assert await store.rollout("absent") is None
    at_stage = changed(begun, step=Step.STAGE, since=NOW, asked=frozenset({"start 0"}), skip="because", extended_s=1.5)
    assert await store.keep_rollout(at_stage, by="reconciler", now=NOW)
    assert await store.rollout(begun.id) == at_stage


async def test_every_change_is_remembered_in_order(store: SqlStore, unique: str) -> None:
    begun = rollout(unique)
    await store.add_rollout(begun, by="ada")
    rests = paused(begun, "lunch")
    ended = aborted(rests, "no appetite")
    await store.keep_rollout(rests, by="ada pause", now=NOW + timedelta(minutes=1))
    await store.keep_rollout(ended, by="ada abort", now=NOW + timedelta(minutes=2))
    history = await store.transitions(begun.id)
    assert [(each.generation, each.by, each.reason) for each in history] == [
        (1, "ada", ""),
        (2, "ada pause", "lunch"),
        (3, "ada abort", "no appetite"),
    ]
    assert [each.phase for each in history] == [Phase.PENDING, Phase.PAUSED, Phase.ABORTED]
    assert history[1].at == NOW + timedelta(minutes=1)
    assert await store.transitions("absent") == []


async def test_a_late_change_is_refused_and_leaves_no_trace(store: SqlStore, unique: str) -> None:
    begun = rollout(unique)
    await store.add_rollout(begun, by="ada")
    assert await store.keep_rollout(paused(begun, "first"), by="ada", now=NOW)
    assert not await store.keep_rollout(aborted(begun, "late"), by="bob", now=NOW)
    assert not await store.keep_rollout(paused(rollout(unique, id="absent"), ""), by="bob", now=NOW)
    kept = await store.rollout(begun.id)
    assert kept is not None
    assert kept.reason == "first"
    assert len(await store.transitions(begun.id)) == 2


async def test_of_many_writers_one_wins_each_generation(store: SqlStore, store_url: str, unique: str) -> None:
    begun = rollout(unique)
    await store.add_rollout(begun, by="ada")
    other = await open_store(store_url)
    writes = [
        each.keep_rollout(paused(begun, f"writer {number}"), by=f"writer {number}", now=NOW)
        for number, each in enumerate((store, other) * 4)
    ]
    won = await asyncio.gather(*writes)
    await other.close()
    assert won.count(True) == 1
    kept = await store.rollout(begun.id)
    assert kept is not None
    assert kept.reason == f"writer {won.index(True)}"


async def test_an_alias_has_one_rollout_under_way(store: SqlStore, store_url: str, unique: str) -> None:
    other = await open_store(store_url)
    begun = [rollout(unique, id=str(number)) for number in range(6)]
    adding = [each.add_rollout(one, by="ada") for one, each in zip(begun, (store, other) * 3, strict=True)]
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    await other.close()
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Conflict] * 5
    first = begun[outcomes.index(None)]
    with pytest.raises(Conflict, match=f"{first.id}.*is under way"):
        await store.add_rollout(rollout(unique, id="late"), by="ada")
    with pytest.raises(Conflict, match="already"):
        await store.add_rollout(first, by="ada")
    await store.add_rollout(rollout(unique, id="elsewhere", alias="pages"), by="ada")


async def test_a_rollout_that_rests_is_taken_up_again_only_while_it_is_the_newest(store: SqlStore, unique: str) -> None:
    first = aborted(rollout(unique), "no")
    await store.add_rollout(rollout(unique), by="ada")
    assert await store.keep_rollout(first, by="ada", now=NOW)
    rests = in_grace(first, NOW, "no")
    assert await store.keep_rollout(rests, by="reconciler", now=NOW)
    again = changed(rests, phase=Phase.PENDING, step=Step.BUILD)
    assert await store.keep_rollout(again, by="ada", now=NOW)
    rests = in_grace(again, NOW, "no")
    assert await store.keep_rollout(rests, by="reconciler", now=NOW)
    second = rollout(unique, id="2")
    await store.add_rollout(second, by="bob")
    with pytest.raises(Conflict, match="newer"):
        await store.keep_rollout(changed(rests, phase=Phase.PENDING, step=Step.BUILD), by="ada", now=NOW)
    assert await store.keep_rollout(changed(rests, step=Step.DONE), by="reconciler", now=NOW)


async def test_rollouts_are_listed_newest_first_and_unfinished_ones_oldest_first(store: SqlStore, unique: str) -> None:
    begun = [rollout(unique, id=str(number), alias=f"alias{number}") for number in range(3)]
    for one in begun:
        await store.add_rollout(one, by="ada")
    await store.keep_rollout(changed(begun[1], step=Step.DONE), by="reconciler", now=NOW)
    listed = [one.id for one in await store.rollouts(limit=2)]
    assert listed == [begun[2].id, begun[1].id]
    assert [one.id for one in await store.rollouts(limit=9, alias=begun[0].spec.alias)] == [begun[0].id]
    unfinished = [one.id for one in await store.unfinished_rollouts() if one.id.startswith(unique)]
    assert unfinished == [begun[0].id, begun[2].id]


async def test_the_latest_judgement_of_each_generation_is_kept(store: SqlStore, unique: str) -> None:
    begun = rollout(unique)
    await store.keep_judgements(begun.id, 1, {"a": judgement(Verdict.FAILED)})
    await store.add_rollout(begun, by="ada")
    assert await store.judgements(begun.id) == {}
    for generation, verdict in ((2, Verdict.ERROR), (1, Verdict.INCONCLUSIVE), (1, Verdict.SUCCESSFUL)):
        await store.keep_judgements(begun.id, generation, {"a": judgement(verdict), "b": judgement(Verdict.FAILED)})
    kept = await store.judgements(begun.id)
    assert [each["a"].verdict for each in kept.values()] == [Verdict.SUCCESSFUL, Verdict.ERROR]
    assert kept[1] == {"a": judgement(Verdict.SUCCESSFUL), "b": judgement(Verdict.FAILED)}


async def test_switches_are_counted_by_alias_and_phase(store: SqlStore, unique: str) -> None:
    begun = rollout(unique)
    await store.add_rollout(begun, by="ada")
    for following in (
        promoted := switched(begun, "a", "good"),
        undone := aborted(promoted, "not good"),
        in_grace(undone, NOW, ""),
    ):
        assert await store.keep_rollout(following, by="reconciler", now=NOW)
    alias = begun.spec.alias
    counted = {phase: count for (of, phase), count in (await store.switches()).items() if of == alias}
    assert counted == {Phase.PROGRESSING: 1, Phase.ABORTED: 1}


async def test_one_worker_leads_at_a_time(store: SqlStore, store_url: str) -> None:
    other = await open_store(store_url)
    now, until = NOW + timedelta(days=1), NOW + timedelta(days=1, seconds=15)
    asked = [each.lead_rollouts(f"w{number}", now=now, until=until) for number, each in enumerate((store, other) * 3)]
    won = await asyncio.gather(*asked)
    await other.close()
    assert won.count(True) == 1
    leader, follower = f"w{won.index(True)}", f"w{won.index(False)}"
    assert await store.lead_rollouts(leader, now=now, until=until)
    assert not await store.lead_rollouts(follower, now=until - timedelta(seconds=1), until=until)
    assert await store.lead_rollouts(follower, now=until, until=until + timedelta(seconds=15))
    assert not await store.lead_rollouts(leader, now=until, until=until)
    assert await store.lead_rollouts(follower, now=until, until=NOW)
