"""Payloads of a candidate beside those of the stable collection, over the memory engine."""

from collections.abc import Sequence
from typing import Any

import pytest

from vectis.adapters.memory.engine import MemoryEngine
from vectis.domain.judgements import MetricJudgement, Verdict
from vectis.domain.points import Point, dense
from vectis.domain.schema import CollectionSchema, DenseParams
from vectis.rollouts.payloads import POINTS_MAX, compare_payloads

SCHEMA = CollectionSchema(dense={"dense": DenseParams(size=1)}, quantization=None)


async def compared(stable: Sequence[dict[str, Any]], candidate: Sequence[dict[str, Any]]) -> MetricJudgement:
    engine = MemoryEngine()
    for name, payloads in (("stable", stable), ("candidate", candidate)):
        await engine.create(name, SCHEMA)
        points = [Point(number, {"dense": dense([1.0])}, payload) for number, payload in enumerate(payloads)]
        await engine.upsert(name, points)
    return await compare_payloads(engine, "stable", "candidate")


async def test_the_same_keys_are_no_loss_whatever_their_values() -> None:
    found = await compared(
        [{"price": n, "title": "t"} for n in range(20)], [{"price": -n, "title": ""} for n in range(9)]
    )
    assert (found.verdict, found.stable, found.candidate) == (Verdict.SUCCESSFUL, 2, 2)


async def test_lost_and_gained_keys_are_named() -> None:
    found = await compared([{"price": 1}] * 20, [{"cost": 1}] * 20)
    assert found.verdict is Verdict.FAILED
    assert "lost or rarer: 'price'" in found.reason
    assert "gained: 'cost'" in found.reason


@pytest.mark.parametrize(("without", "verdict"), [(3, Verdict.SUCCESSFUL), (5, Verdict.FAILED)])
async def test_a_key_may_become_a_little_rarer(without: int, verdict: Verdict) -> None:
    found = await compared([{"price": 1}] * 40, [{}] * without + [{"price": 1}] * (40 - without))
    assert found.verdict is verdict
    assert found.worsening == pytest.approx(without / 40)


async def test_documents_count_once_however_they_are_cut() -> None:
    rare = {"document_id": "a", "price": 1}
    whole = [rare, {"document_id": "b"}]
    cut = [rare] + [{"document_id": "b"}] * 30
    assert (await compared(whole, cut)).verdict is Verdict.SUCCESSFUL


async def test_what_was_not_all_looked_at_is_given_its_error() -> None:
    many = POINTS_MAX + 500
    stable = [{"odd": 1} if n % 2 else {} for n in range(many)]
    slightly = [{"odd": 1} if n % 100 < 39 else {} for n in range(many)]
    far = [{"odd": 1} if n % 100 < 30 else {} for n in range(many)]
    assert (await compared(stable, slightly)).verdict is Verdict.SUCCESSFUL
    assert (await compared(stable, far)).verdict is Verdict.FAILED


async def test_an_empty_collection_has_nothing_to_lose() -> None:
    assert (await compared([], [{"a": 1}])).verdict is Verdict.SUCCESSFUL
    assert (await compared([{"a": 1}], [])).verdict is Verdict.FAILED
