"""Headers about variants: whose request is whose."""

from vectis.domain.routes import Routing
from vectis.entrypoints.rest.variants import routing_of


def asked(*headers: tuple[bytes, bytes]) -> Routing:
    return routing_of({"headers": list(headers), "vectis.request_id": "r-1"})


def test_a_request_without_a_key_is_its_own() -> None:
    assert asked((b"accept", b"*/*")) == asked((b"x-routing-key", b"")) == Routing("r-1")


def test_a_key_is_read_as_utf_8() -> None:
    assert asked((b"x-routing-key", "zoë".encode()), (b"x-vectis-variant", b"candidate")) == Routing(
        "zoë", sticky=True, variant="candidate"
    )
