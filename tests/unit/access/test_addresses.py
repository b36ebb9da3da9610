"""Addresses behind proxies."""

import pytest

from vectis.access.addresses import Networks, client_address, is_loopback
from vectis.domain.errors import InvalidSetting

PROXIES = Networks(["10.0.0.0/8", "::1/128"], setting="server.trusted_proxies")


@pytest.mark.parametrize(
    ("peer", "forwarded", "real_ip", "client"),
    [
        pytest.param(
            "203.0.113.9", ["198.51.100.1"], "198.51.100.1", "203.0.113.9", id="an untrusted peer says nothing"
        ),
        pytest.param("10.0.0.2", ["198.51.100.1"], "", "198.51.100.1", id="a trusted proxy is believed"),
        pytest.param(
            "10.0.0.2", ["1.2.3.4, 198.51.100.1"], "", "198.51.100.1", id="from the right: the left is made up"
        ),
        pytest.param("10.0.0.2", ["1.2.3.4, 198.51.100.1, 10.9.9.9"], "", "198.51.100.1", id="through two proxies"),
        pytest.param("10.0.0.2", ["1.2.3.4", "198.51.100.1"], "", "198.51.100.1", id="headers in order"),
        pytest.param("10.0.0.2", ["10.1.1.1, 10.2.2.2"], "", "10.1.1.1", id="all are proxies: the first of them"),
        pytest.param("10.0.0.2", ["198.51.100.1, unknown"], "", "10.0.0.2", id="what is no address ends the reading"),
        pytest.param("10.0.0.2", [], "198.51.100.7", "198.51.100.7", id="X-Real-IP where nothing else is"),
        pytest.param("10.0.0.2", ["198.51.100.1"], "198.51.100.7", "198.51.100.1", id="X-Forwarded-For weighs more"),
        pytest.param("::1", ["2001:db8::5"], "", "2001:db8::5", id="IPv6"),
        pytest.param("::1", ["::ffff:198.51.100.1"], "", "198.51.100.1", id="IPv4 told as IPv6"),
        pytest.param("", ["198.51.100.1"], "", "", id="a Unix socket has no peer to trust"),
    ],
)
def test_the_client_is_the_first_hop_from_the_right_that_is_no_proxy(peer, forwarded, real_ip, client) -> None:
    assert client_address(peer, forwarded, real_ip, PROXIES) == client


def test_a_made_up_chain_of_proxies_is_read_no_further_than_it_is_bounded() -> None:
    chain = ["198.51.100.1", *["10.0.0.1"] * 100]
    assert client_address("10.0.0.2", [", ".join(chain)], "", PROXIES) == "10.0.0.1"


def test_networks_hold_their_addresses_also_as_mapped_ones() -> None:
    assert "10.255.0.1" in PROXIES
    assert "::ffff:10.0.0.1" in PROXIES
    assert "11.0.0.1" not in PROXIES
    assert "nonsense" not in PROXIES
    assert "" not in PROXIES


def test_a_wrong_network_is_named_with_its_setting() -> None:
    with pytest.raises(InvalidSetting, match=r"server\.trusted_proxies.*10\.0\.0\.0/8"):
        Networks(["10.0.0.0/33"], setting="server.trusted_proxies")


@pytest.mark.parametrize(("address", "expected"), [("127.0.0.9", True), ("::1", True), ("", True), ("10.0.0.1", False)])
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
