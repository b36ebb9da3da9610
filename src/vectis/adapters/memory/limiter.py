"""Counting requests within this process."""

from collections import OrderedDict

from vectis.domain.limits import Allowance, Policy, take
from vectis.domain.ports.clock import Clock


class MemoryLimiter:
    """Serves the RateLimiter port. Of more than `keys_max` keys the longest unused are forgotten, as if they had never come."""

    def __init__(self, clock: Clock, *, keys_max: int = 100_000) -> None:
        self._clock = clock
        self._keys_max = keys_max
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def take(self, policy: Policy, key: str) -> Allowance:
        """See the port."""
        place = (policy.name, key)
        full_at, allowance = take(policy, self._full_at.get(place, 0.0), self._clock.monotonic())
        self._full_at[place] = full_at
        self._full_at.move_to_end(place)
        if len(self._full_at) > self._keys_max:
            self._full_at.popitem(last=False)
        return allowance
