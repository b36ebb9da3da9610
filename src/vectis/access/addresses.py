"""Where a request comes from: the client's address behind trusted proxies, and lists of networks. Pure."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from vectis.domain.errors import InvalidSetting

_HOPS_MAX = 32


class Networks:
    """A set of networks in CIDR notation; a single address is a network of one."""

    def __init__(self, networks: Sequence[str], *, setting: str) -> None:
        """Raises InvalidSetting naming `setting` and the part that is no network."""
        self._networks = tuple(_network(text, setting) for text in networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: object) -> bool:
        """Whether a textual address lies in one of them; text that is no address lies in none."""
        parsed = _parsed(address) if isinstance(address, str) else None
        return parsed is not None and any(parsed in network for network in self._networks)


def unmapped(address: str) -> str:
    """One text for one address: an IPv4 one that comes as IPv6 (`::ffff:192.0.2.1`) is told as IPv4. What is none stays."""
    return str(_parsed(address) or address) if ":" in address else address


def is_loopback(address: str) -> bool:
    """Whether a client's address is of this machine; the empty address of a Unix socket is."""
    parsed = _parsed(address)
    return parsed.is_loopback if parsed is not None else not address


def client_address(peer: str, forwarded: Iterable[str], real_ip: str, trusted: Networks) -> str:
    """The address that a request comes from.

    `forwarded` are the X-Forwarded-For headers in order, `real_ip` is X-Real-IP; both count only when `peer`, the other end
    of the connection (empty for a Unix socket), is a trusted proxy. The hops are read from the right: the first that is no
    trusted proxy is the client, since everything left of it can be made up. A hop that is no address ends the reading.
    """
    if peer not in trusted:
        return peer
    client = peer
    hops = [hop.strip() for header in forwarded for hop in header.split(",")]
    if not hops and real_ip:
        hops = [real_ip.strip()]
    for hop in reversed(hops[-_HOPS_MAX:]):
        if _parsed(hop) is None:
            break
        client = unmapped(hop)
        if hop not in trusted:
            break
    return client


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed


def _network(text: str, setting: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise InvalidSetting(f"{setting}: {error}; write networks as 10.0.0.0/8 or ::1/128", key=setting) from None
