"""Both limiters: the same decisions for the same arrival times, whatever they are."""

from asyncio import sleep
from asyncio import timeout as _timeout
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any, cast

import pytest
from valkey_process import Valkey, running_valkey

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.limiter import MemoryLimiter
from vectis.adapters.redis.limiter import KEY_PREFIX, TAKE, RedisLimiter
from vectis.adapters.redis.link import LinkBounds, RedisLink
from vectis.adapters.system.clock import SystemClock
from vectis.domain.limits import Allowance, Policy
from vectis.domain.ports.limits import RateLimiter

POLICIES = (
    Policy("even", requests=10, window_s=1.0, burst=10),
    Policy("one", requests=1, window_s=0.5, burst=1),
    Policy("odd", requests=7, window_s=3.0, burst=3),
    Policy("hourly", requests=1000, window_s=3600.0, burst=20),
)


class Arrivals:
    """A limiter whose time is the test's."""

    def __init__(self, limiter: RateLimiter, at: Any) -> None:
        self._limiter = limiter
        self._at = at

    async def take(self, policy: Policy, key: str, at_us: int) -> Allowance:
        self._at(at_us)
        return await self._limiter.take(policy, key)


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with running_valkey() as started:
        yield started


@pytest.fixture
async def link(valkey: Valkey) -> AsyncIterator[RedisLink]:
    made = RedisLink(valkey.url, LinkBounds(pool_min=1, answer_s=10.0))
    await made.open()
    async with _timeout(20):
        while not made.counts()["connected"]:  # noqa: ASYNC110 - the link tells nobody
            await sleep(0.01)
    yield made
    await made.close()


def in_memory() -> Arrivals:
    clock = ManualClock()
    return Arrivals(MemoryLimiter(clock), lambda at_us: clock.advance(at_us / 1e6 - clock.monotonic()))


def shared(link: RedisLink, monkeypatch: pytest.MonkeyPatch) -> Arrivals:
    """The script itself, told the time in place of the server's."""
    now = [0]
    timed = TAKE.replace("redis.call('TIME')", "{ARGV[3], ARGV[4]}")
    assert timed != TAKE
    script = link.client.register_script(timed)
    limiter = RedisLimiter(link, cast(RateLimiter, None))

    async def told(keys: list[str], args: list[int]) -> Any:
        return await script(keys=keys, args=[*args, *divmod(1_700_000_000_000_000 + now[0], 1_000_000)])

    monkeypatch.setattr(limiter, "_script", told)
    return Arrivals(limiter, lambda at_us: now.__setitem__(0, at_us))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
async def test_the_same_decisions(policy: Policy, link: RedisLink, monkeypatch: pytest.MonkeyPatch) -> None:
    random, at_us = Random(policy.name), 1_000_000
    near, far = in_memory(), shared(link, monkeypatch)
    decisions = set[bool]()
    for _ in range(400):
        if random.random() < 0.6:
            at_us += int(random.expovariate(1) * policy.window_s / policy.requests * 500_000)
        key = f"{policy.name}{random.randrange(2)}"
        one, other = await near.take(policy, key, at_us), await far.take(policy, key, at_us)
        assert (one.allowed, one.remaining) == (other.allowed, other.remaining)
        assert other.reset_s == pytest.approx(one.reset_s, abs=1e-4)
        assert other.retry_after_s == pytest.approx(one.retry_after_s, abs=1e-4)
        decisions.add(one.allowed)
    assert decisions == {True, False}


async def test_all_processes_count_together_by_the_clock_of_the_server(valkey: Valkey, link: RedisLink) -> None:
    policy = Policy("together", requests=6, window_s=3600.0, burst=6)
    clock = SystemClock()
    pair = [RedisLimiter(link, MemoryLimiter(clock)) for _ in range(2)]
    assert [(await pair[i % 2].take(policy, "k")).remaining for i in range(6)] == [5, 4, 3, 2, 1, 0]
    refused = await pair[0].take(policy, "k")
    assert not refused.allowed
    assert 0 < refused.retry_after_s <= 600
    assert (await pair[1].take(policy, "other")).allowed
    with valkey.client() as client:
        keys = client.keys(f"{KEY_PREFIX}*")
        assert all(0 < client.pttl(key) <= 3_600_000 for key in keys)
        assert not [key for key in keys if b"other" in key]


async def test_while_the_server_is_away_each_process_counts_alone(valkey: Valkey, link: RedisLink) -> None:
    policy = Policy("alone", requests=3, window_s=3600.0, burst=3)
    limiter = RedisLimiter(link, MemoryLimiter(SystemClock()))
    assert (await limiter.take(policy, "k")).remaining == 2
    valkey.kill()
    try:
        assert [(await limiter.take(policy, "k")).allowed for _ in range(5)] == [True] * 3 + [False] * 2
    finally:
        valkey.start()
    assert limiter.counts()["nearby_total"] == 5
    async with _timeout(20):
        while not link.counts()["connected"]:  # noqa: ASYNC110 - the link tells nobody
            await sleep(0.01)
    assert (await limiter.take(policy, "k")).remaining == 2  # this Valkey keeps nothing over its death
