"""Who is let in before permissions are asked."""

import pytest

from vectis.access.addresses import Networks
from vectis.access.admission import Admission, AdmissionRules
from vectis.adapters.memory.limiter import MemoryLimiter
from vectis.domain.access import ANYONE, Caller
from vectis.domain.errors import AddressNotAllowed, Overloaded, RateLimited
from vectis.domain.limits import Policy

PER_IP = Policy("per_ip", requests=3, window_s=60, burst=3)
PER_KEY = Policy("per_key", requests=5, window_s=60, burst=5)
VECTOR = Policy("vector_api", requests=2, window_s=1, burst=2)
ADA = Caller(name="ada", rights=(), credential="k1")
BOB = Caller(name="bob", rights=(), credential="k2")


class Hand:
    """A clock that the test moves."""

    seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def hand() -> Hand:
    return Hand()


def admission(hand: Hand, **rules) -> Admission:
    proxies = Networks(["10.0.0.0/8"], setting="server.trusted_proxies")
    allowed = Networks(rules.pop("allowed", []), setting="server.allowed_addresses")
    ruled = AdmissionRules(trusted_proxies=proxies, allowed=allowed, concurrent_max=rules.pop("at_once", 10), **rules)
    return Admission(ruled, MemoryLimiter(hand))


async def passed(gate: Admission, address: str, caller: Caller | None, *, times: int, vector_api: bool = False) -> int:
    count = 0
    for _ in range(times):
        try:
            gate.check(await gate.count(address, caller, vector_api=vector_api))
        except RateLimited:
            continue
        count += 1
    return count


def test_only_listed_addresses_are_let_in_and_a_unix_socket_is_always(hand: Hand) -> None:
    gate = admission(hand, allowed=["192.168.10.0/24"])
    gate.check_address(gate.client("192.168.10.7", (), ""))
    gate.check_address(gate.client("10.0.0.1", ["192.168.10.9"], ""))
    gate.check_address("")
    with pytest.raises(AddressNotAllowed, match=r"203\.0\.113\.5"):
        gate.check_address(gate.client("10.0.0.1", ["192.168.10.9, 203.0.113.5"], ""))


def test_no_more_at_once_than_may_be(hand: Hand) -> None:
    gate = admission(hand, at_once=2)
    gate.enter()
    gate.enter()
    with pytest.raises(Overloaded):
        gate.enter()
    gate.leave()
    gate.enter()
    assert gate.shed == 1


async def test_each_address_has_its_own_count_and_wrong_keys_one_apart(hand: Hand) -> None:
    gate = admission(hand, per_ip=PER_IP)
    assert await passed(gate, "203.0.113.5", None, times=100) == 3
    assert await passed(gate, "203.0.113.5", ADA, times=100) == 3
    assert await passed(gate, "203.0.113.6", ADA, times=100) == 3
    hand.seconds += 20
    assert await passed(gate, "203.0.113.5", None, times=100) == 1


async def test_the_addresses_of_one_ipv6_network_count_as_one(hand: Hand) -> None:
    gate = admission(hand, per_ip=PER_IP)
    tried = [await passed(gate, f"2001:db8::{n:x}", None, times=1) for n in range(1, 10)]
    assert sum(tried) == 3
    assert await passed(gate, "2001:db8:0:1::1", None, times=1) == 1


async def test_who_is_known_on_this_machine_is_not_counted_by_address(hand: Hand) -> None:
    gate = admission(hand, per_ip=PER_IP)
    assert await passed(gate, "127.0.0.1", ANYONE, times=50) == 50
    assert await passed(gate, "", ADA, times=50) == 50
    assert await passed(gate, "127.0.0.1", None, times=50) == 3


async def test_keys_are_counted_each_for_itself(hand: Hand) -> None:
    gate = admission(hand, per_key=PER_KEY)
    assert await passed(gate, "203.0.113.5", ADA, times=50) == 5
    assert await passed(gate, "203.0.113.6", ADA, times=50) == 0
    assert await passed(gate, "203.0.113.5", BOB, times=50) == 5
    assert await passed(gate, "203.0.113.5", ANYONE, times=50) == 50


async def test_the_vector_api_has_a_rate_of_its_own(hand: Hand) -> None:
    gate = admission(hand, vector_api=VECTOR)
    assert await passed(gate, "127.0.0.1", ADA, times=50, vector_api=True) == 2
    assert await passed(gate, "127.0.0.1", ADA, times=50) == 50


async def test_a_refusal_says_which_policy_and_when(hand: Hand) -> None:
    gate = admission(hand, per_ip=PER_IP)
    await passed(gate, "203.0.113.5", ADA, times=3)
    with pytest.raises(RateLimited, match="per_ip") as caught:
        gate.check(await gate.count("203.0.113.5", ADA, vector_api=False))
    assert caught.value.retry_after_s == pytest.approx(20)
    assert caught.value.fields["policy"] == "per_ip"


async def test_forgetting_bounds_memory(hand: Hand) -> None:
    limiter = MemoryLimiter(hand, keys_max=10)
    for n in range(1000):
        await limiter.take(PER_IP, f"address {n}")
    assert len(limiter._full_at) == 10
