"""Routes: the bucket rule, stickiness, weights, and that a growing candidate never gives a key back."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from vectis.domain.errors import InvalidInput
from vectis.domain.routes import Mirror, Route, RoutePlan, RouteTable, Routing, Target, bucket

KEYS = [f"user-{i}" for i in range(20_000)]
WEIGHT = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)


def split(candidate_percent: float, salt: str = "s") -> RouteTable:
    targets = (
        Target("docs-a", "stable", round(100 - candidate_percent, 2)),
        Target("docs-b", "candidate", candidate_percent),
    )
    return RouteTable((Route("docs", RoutePlan(targets, salt=salt)),))


@pytest.mark.parametrize(("salt", "key"), [("", ""), ("", "a"), ("salt", "user-1"), ("sa", "ltuser-1"), ("ß", "検索")])
def test_the_bucket_is_the_md5_rule(salt: str, key: str) -> None:
    x = int.from_bytes(hashlib.md5((salt + key).encode()).digest()[:4], "big")
    assert bucket(salt, key) == x % 100 + (x // 100 % 100) / 100


def test_known_buckets() -> None:
    assert bucket("", "") == 93.63  # the MD5 of nothing begins with d41d8cd9, which is 3558706393
    assert bucket("", "a") == 77.51  # that of "a" with 0cc175b9, which is 214005177


@given(st.text(max_size=20), st.text(max_size=40))
def test_buckets_are_hundredths_below_100(salt: str, key: str) -> None:
    value = bucket(salt, key)
    assert 0 <= value < 100
    assert round(value * 100) == pytest.approx(value * 100)
    assert bucket(salt, key) == value


def test_buckets_are_even() -> None:
    counts = [0] * 10
    for key in KEYS:
        counts[int(bucket("even", key) // 10)] += 1
    assert all(abs(count - 2000) < 200 for count in counts)


def test_salt_reshuffles() -> None:
    moved = sum((bucket("a", key) < 50) != (bucket("b", key) < 50) for key in KEYS)
    assert 0.45 < moved / len(KEYS) < 0.55


@pytest.mark.parametrize("percent", [0.0, 0.5, 5.0, 33.33, 50.0, 99.99, 100.0])
def test_shares_follow_the_weights(percent: float) -> None:
    table = split(percent)
    share = sum(table.assign("docs", key).variant == "candidate" for key in KEYS) / len(KEYS) * 100
    assert share == pytest.approx(percent, abs=1.2)
    if percent in (0.0, 100.0):
        assert share == percent


@given(WEIGHT, WEIGHT, st.lists(st.text(max_size=12), min_size=1, max_size=30))
def test_raising_the_candidate_never_moves_a_key_back(a: float, b: float, keys: list[str]) -> None:
    low, high = split(min(a, b)), split(max(a, b))
    for key in keys:
        if low.assign("docs", key).variant == "candidate":
            assert high.assign("docs", key).variant == "candidate"


@given(st.text(max_size=12), st.lists(WEIGHT, min_size=3, max_size=3))
def test_a_key_sticks_while_weights_stand(key: str, weights: list[float]) -> None:
    total = sum(weights) or 1.0
    targets = tuple(Target(f"c{i}", f"v{i}", round(w / total * 100, 2)) for i, w in enumerate(weights))
    first, second = (RouteTable((Route("docs", RoutePlan(targets, salt="x"), version=v),)) for v in (1, 2))
    assert first.assign("docs", key) == second.assign("docs", key)
    assert first.assign("docs", key) in targets


def test_a_name_that_is_no_alias_is_its_own_target() -> None:
    target = RouteTable().assign("plain", "anyone")
    assert (target.collection, target.variant, target.weight_percent) == ("plain", "stable", 100.0)


def test_a_single_target_takes_all() -> None:
    table = RouteTable((Route("docs", RoutePlan((Target("docs-a", weight_percent=100.0),))),))
    assert {table.assign("docs", key).collection for key in KEYS[:100]} == {"docs-a"}


def test_reading_the_table() -> None:
    routes = (Route("b", RoutePlan((Target("x"),))), Route("a", RoutePlan((Target("y"),))))
    table = RouteTable(routes)
    assert [route.alias for route in table.routes()] == ["a", "b"]
    assert "a" in table
    assert "c" not in table
    assert table.get("b") == routes[0]
    assert table.get("c") is None


def test_companions_are_all_that_one_write_goes_to() -> None:
    halves = (Target("a", weight_percent=95), Target("b", "candidate", 5))
    table = RouteTable(
        (
            Route("docs", RoutePlan(halves, followers=("b",))),
            Route("other", RoutePlan((Target("a"),), followers=("c",))),
            Route("plain", RoutePlan((Target("z"),))),
        )
    )
    assert table.companions("a") == ("b", "c")
    assert table.companions("b") == ("a",)
    assert table.companions("c") == ("a",)
    assert table.companions("z") == table.companions("unknown") == ()


def test_a_plan_names_all_that_it_needs_and_says_whether_a_rollout_is_at_work() -> None:
    plain = RoutePlan((Target("a"),))
    assert plain.collections == {"a"}
    assert not plain.under_rollout
    mirrored = RoutePlan((Target("a"),), mirror=Mirror({"candidate": "b"}, 10))
    assert mirrored.collections == {"a", "b"}
    assert mirrored.written == ("a",)
    assert mirrored.under_rollout
    assert RoutePlan((Target("a"),), followers=("b",)).under_rollout


def test_a_tester_gets_the_variant_that_it_wants_whatever_the_key() -> None:
    plan = split(5.0).routes()[0].plan
    for key in KEYS[:50]:
        assert plan.choose(Routing(key)) == plan.assign(key)
        assert plan.choose(Routing(key, variant="candidate")).collection == "docs-b"
    with pytest.raises(InvalidInput, match="stable, candidate"):
        plan.choose(Routing(variant="other"))


def test_interleaved_are_as_many_keys_as_wanted_whatever_variant_they_have() -> None:
    plan = RoutePlan((Target("a"), Target("b", "candidate", 30)), "s", interleave_percent=20)
    mixed = [key for key in KEYS if plan.interleaves(Routing(key, sticky=True))]
    assert len(mixed) / len(KEYS) == pytest.approx(0.2, abs=0.012)
    ours = sum(plan.assign(key).variant == "candidate" for key in mixed)
    assert ours / len(mixed) == pytest.approx(0.3, abs=0.03), "the split of the others stays as the route says"
    more = replace(plan, interleave_percent=40)
    assert all(more.interleaves(Routing(key, sticky=True)) for key in mixed)
    assert not any(plan.interleaves(Routing(key)) for key in KEYS), "they are of one request"
    assert not any(plan.interleaves(Routing(key, sticky=True, variant="candidate")) for key in KEYS)
    assert not any(replace(plan, interleave_percent=0).interleaves(Routing(key, sticky=True)) for key in KEYS)
