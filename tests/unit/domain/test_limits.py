"""The rate rule against a plain count of what it lets through."""

from hypothesis import given
from hypothesis import strategies as st

from vectis.domain.limits import Policy, take

MINUTE = Policy("minute", requests=60, window_s=60.0, burst=5)


def test_a_burst_passes_then_one_per_interval() -> None:
    full_at, allowed = 0.0, []
    for second in [0.0] * 7 + [1.0, 1.0, 2.0]:
        full_at, allowance = take(MINUTE, full_at, 100.0 + second)
        allowed.append(allowance.allowed)
    assert allowed == [True] * 5 + [False] * 2 + [True, False, True]


def test_what_remains_counts_down_and_a_refusal_says_how_long() -> None:
    full_at, remaining = 0.0, []
    for _ in range(5):
        full_at, allowance = take(MINUTE, full_at, 100.0)
        remaining.append(allowance.remaining)
    assert remaining == [4, 3, 2, 1, 0]
    same, refused = take(MINUTE, full_at, 100.0)
    assert (same, refused.remaining, refused.retry_after_s) == (full_at, 0, 1.0)
    assert take(MINUTE, full_at, 100.0 + refused.retry_after_s)[1].allowed


@given(
    requests=st.integers(1, 50),
    window=st.floats(0.5, 100.0),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0.0, 5.0), max_size=300),
)
def test_no_window_ever_sees_more_than_the_burst_and_what_flows_in(requests, window, burst, gaps) -> None:
    policy = Policy("any", requests, window, burst)
    now, full_at, passed = 1000.0, 0.0, []
    for gap in gaps:
        now += gap
        full_at, allowance = take(policy, full_at, now)
        if allowance.allowed:
            passed.append(now)
        else:
            assert allowance.retry_after_s > 0
    for i, first in enumerate(passed):
        for count, last in enumerate(passed[i:], start=1):
            assert count <= burst + (last - first) * requests / window + 1e-3
