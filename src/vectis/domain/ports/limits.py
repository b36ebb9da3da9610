"""Counting how often someone does something."""

from typing import Protocol

from vectis.domain.limits import Allowance, Policy


class RateLimiter(Protocol):
    """Counts per policy and key. It may forget, never fail: who cannot count lets requests pass."""

    async def take(self, policy: Policy, key: str) -> Allowance:
        """Count one request of `key` and say whether it may go on; one that may not is not counted."""
        ...
