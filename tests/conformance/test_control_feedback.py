"""Feedback in every control store."""

from datetime import timedelta

from control_suite import NOW
from msgspec.structs import replace

from vectis.adapters.sql.feedback import OPINIONS_PER_KEY
from vectis.adapters.sql.store import SqlStore
from vectis.domain.feedback import AnsweredQuery, FeedbackKind, Opinion


def opinion(
    alias: str, number: int, *, key: int = 1, version: int = 3, result: str = "r", value: float = 1.0
) -> Opinion:
    answered = AnsweredQuery(alias, version, "candidate", 12.5, key, f"q{number}", 1_700_000_000)
    return Opinion(answered, FeedbackKind.RATING, result, value, NOW + timedelta(seconds=number))


async def test_opinions_come_back_in_order(store: SqlStore, unique: str) -> None:
    kept = [opinion(unique, 2), opinion(unique, 1, key=(1 << 63) - 1), opinion(unique, 3, version=4, value=0.25)]
    for one in (*kept, opinion(unique, 1, version=2), opinion(f"{unique}x", 1)):
        assert await store.put_opinion(one)
    assert await store.opinions(unique, 3) == [kept[1], kept[0], kept[2]]


async def test_the_first_opinion_about_a_result_stays(store: SqlStore, unique: str) -> None:
    first = opinion(unique, 1, value=0.5)
    click = replace(first, kind=FeedbackKind.CLICK)
    other = replace(first, result="s")
    for one in (first, replace(first, value=1.0, at=NOW), click, other):
        assert await store.put_opinion(one)
    kept = await store.opinions(unique, 3)
    assert sorted((one.result, one.kind.value, one.value) for one in kept) == [
        ("r", "click", 0.5), ("r", "rating", 0.5), ("s", "rating", 0.5),
    ]  # fmt: skip


async def test_a_routing_key_has_its_say_and_no_more(store: SqlStore, unique: str) -> None:
    said = [await store.put_opinion(opinion(unique, number)) for number in range(OPINIONS_PER_KEY + 2)]
    assert said == [True] * OPINIONS_PER_KEY + [False] * 2
    assert await store.put_opinion(opinion(unique, 1, key=2, result="s"))
    assert await store.put_opinion(opinion(unique, 1, version=4))


async def test_what_is_old_is_removed_with_the_traffic_of_its_time(store: SqlStore, unique: str) -> None:
    await store.put_opinion(opinion(unique, 1))
    await store.put_opinion(opinion(unique, 9))
    await store.trim_traffic(NOW + timedelta(seconds=5))
    assert [one.answered.query for one in await store.opinions(unique, 3)] == ["q9"]
