"""Where a request comes from, as the connection says."""

import pytest
from starlette.types import Scope

from vectis.access.addresses import Networks
from vectis.access.admission import Admission, AdmissionRules
from vectis.adapters.memory.limiter import MemoryLimiter
from vectis.adapters.system.clock import SystemClock
from vectis.entrypoints.rest.origin import origin


@pytest.mark.parametrize(
    ("peer", "address"),
    [("::ffff:192.0.2.7", "192.0.2.7"), ("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7")],
)
def test_an_ipv4_client_of_a_server_on_ipv6_is_itself_and_not_one_with_all_others(peer: str, address: str) -> None:
    rules = AdmissionRules(Networks([], setting="trusted"), Networks([], setting="allowed"), concurrent_max=1)
    scope: Scope = {"type": "http", "client": (peer, 1), "headers": []}
    assert origin(scope, Admission(rules, MemoryLimiter(SystemClock()))).address == address
