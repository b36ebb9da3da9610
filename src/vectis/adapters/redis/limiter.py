"""Counting requests for all processes and servers that share a Redis server; within this process while it is away."""

from hashlib import blake2b
from typing import Any

from vectis.adapters.redis.link import RedisLink
from vectis.domain.limits import Allowance, Policy
from vectis.domain.ports.limits import RateLimiter

TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, ahead_max = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local ahead = full_at + interval - now
if ahead > ahead_max then
    return {0, full_at - now}
end
redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000))
return {1, ahead}
"""
"""vectis.domain.limits.take in whole microseconds of the server's clock, which doubles hold exactly until the year 2255.

Gives whether the request may go on, and how far ahead of now the burst is whole again. A key is gone when it would say nothing.
"""

KEY_PREFIX = "vectis:limit:"


class RedisLimiter:
    """Serves the RateLimiter port. `nearby` counts in this process what the server did not answer in time."""

    def __init__(self, link: RedisLink, nearby: RateLimiter) -> None:
        self._link = link
        self._nearby = nearby
        self._script: Any = link.client.register_script(TAKE)
        self._nearby_total = 0

    async def take(self, policy: Policy, key: str) -> Allowance:
        """See the port."""
        interval_us = max(1, round(policy.window_s * 1_000_000 / policy.requests))
        ahead_max_us = interval_us * policy.burst
        keys = [KEY_PREFIX + blake2b(f"{policy.name} {key}".encode(), digest_size=16).hexdigest()]
        match await self._link.ask(lambda: self._script(keys=keys, args=[interval_us, ahead_max_us])):
            case [0, int(ahead_us)] if ahead_us >= 0:
                wait_us = max(1, ahead_us + interval_us - ahead_max_us)
                return Allowance(policy, False, 0, ahead_us / 1_000_000, wait_us / 1_000_000)
            case [1, int(ahead_us)] if 0 <= ahead_us <= ahead_max_us:
                remaining = (ahead_max_us - ahead_us) // interval_us
                return Allowance(policy, True, remaining, ahead_us / 1_000_000, 0.0)
            case _:
                self._nearby_total += 1
                return await self._nearby.take(policy, key)

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        return {"nearby_total": self._nearby_total}
