"""What a request passes besides permissions: the list of addresses, the number at work at once, and how often it may come."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from ipaddress import IPv6Network

import msgspec

from vectis.access.addresses import Networks, client_address, is_loopback
from vectis.domain.access import ANYONE, Caller
from vectis.domain.errors import AddressNotAllowed, Overloaded, RateLimited
from vectis.domain.limits import Allowance, Policy
from vectis.domain.ports.limits import RateLimiter


class AdmissionRules(msgspec.Struct, frozen=True):
    """What is let in. A policy that is None is off; `allowed` without a network lets every address in."""

    trusted_proxies: Networks
    allowed: Networks
    concurrent_max: int
    per_ip: Policy | None = None
    per_key: Policy | None = None
    vector_api: Policy | None = None


class Admission:
    """Decides about requests before anything is read of them."""

    def __init__(self, rules: AdmissionRules, limiter: RateLimiter) -> None:
        self._rules = rules
        self._limiter = limiter
        self._at_work = 0
        self.shed = 0
        """Requests that were turned away since this process began, because too many were at work."""

    def proxied(self, peer: str) -> bool:
        """Whether what this peer says of the client's connection is believed."""
        return bool(self._rules.trusted_proxies) and peer in self._rules.trusted_proxies

    def client(self, peer: str, forwarded: Iterable[str], real_ip: str) -> str:
        """The client's address behind trusted proxies; empty for a Unix socket."""
        return client_address(peer, forwarded, real_ip, self._rules.trusted_proxies)

    def check_address(self, address: str) -> None:
        """Raise AddressNotAllowed unless the client may use the server at all; a Unix socket may."""
        if address and self._rules.allowed and address not in self._rules.allowed:
            raise AddressNotAllowed(
                f"{address} is not among the addresses that may use this server; limits.allowed_addresses lists them",
                address=address,
            )

    def enter(self) -> None:
        """Begin a request; `leave` ends it. Raises Overloaded."""
        if self._at_work >= self._rules.concurrent_max:
            self.shed += 1
            raise Overloaded(
                f"{self._rules.concurrent_max} requests are at work already; come again shortly",
                maximum=self._rules.concurrent_max,
            )
        self._at_work += 1

    def leave(self) -> None:
        """End a request that was let in."""
        self._at_work -= 1

    @contextmanager
    def aside(self) -> Generator[None]:
        """Within this block a request that was let in is not at work; it comes back without being refused."""
        self._at_work -= 1
        try:
            yield
        finally:
            self._at_work += 1

    def at_work(self) -> int:
        """How many requests are at work in this process."""
        return self._at_work

    async def count(self, address: str, caller: Caller | None, *, vector_api: bool) -> list[Allowance]:
        """Count a request against every policy that is about it; `caller` is None when its credentials were missing or wrong.

        A known caller on this machine is not counted by address: behind a proxy that is not trusted all would look like one.
        """
        rules, counted = self._rules, list[Allowance]()
        if rules.per_ip is not None and not (caller is not None and is_loopback(address)):
            known = "known" if caller is not None else "unknown"  # a flood of wrong keys leaves the right ones alone
            counted.append(await self._limiter.take(rules.per_ip, f"{known}:{_counted_as(address)}"))
        if rules.per_key is not None and caller is not None and caller is not ANYONE:
            counted.append(await self._limiter.take(rules.per_key, caller.credential or caller.name))
        if rules.vector_api is not None and vector_api:
            counted.append(await self._limiter.take(rules.vector_api, _counted_as(address)))
        return counted

    def check(self, counted: Iterable[Allowance]) -> None:
        """Raise RateLimited when one of them is used up."""
        for allowance in counted:
            if not allowance.allowed:
                raise _limited(allowance)


def _counted_as(address: str) -> str:
    """One host of IPv6 owns a network of 64 bits, whose addresses it can change at will."""
    return str(IPv6Network((address, 64), strict=False)) if ":" in address else address


def _limited(allowance: Allowance) -> RateLimited:
    policy = allowance.policy
    return RateLimited(
        f"more than {policy.requests} requests in {policy.window_s:g} s ({policy.name}); "
        f"come again in {allowance.retry_after_s:.1f} s",
        retry_after_s=allowance.retry_after_s,
        policy=policy.name,
    )
