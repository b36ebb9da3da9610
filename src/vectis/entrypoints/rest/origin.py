"""Where a request comes from, the headers that protect browsers, and how rate limits are told. What is let in is access/'s."""

from collections.abc import Sequence

import msgspec
from starlette.types import Scope

from vectis.access.addresses import unmapped
from vectis.access.admission import Admission
from vectis.domain.limits import Allowance

Headers = list[tuple[bytes, bytes]]

PROTECTING: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"0"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
"""On every answer. Browsers' old XSS filters opened holes of their own, so they are told to stay off."""

ONLY_TLS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""On answers to requests that came over TLS, as a trusted proxy says."""


class Origin(msgspec.Struct, frozen=True):
    """Where a request comes from: the client's address (empty for a Unix socket), and whether over TLS."""

    address: str = ""
    secure: bool = False


def origin(scope: Scope, admission: Admission) -> Origin:
    """Read where a request comes from, through trusted proxies."""
    peer: str = unmapped(scope["client"][0]) if scope.get("client") else ""
    if not admission.proxied(peer):
        return Origin(peer)
    forwarded: list[str] = []
    real_ip = scheme = ""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            forwarded.append(value.decode("latin-1"))
        elif name == b"x-real-ip":
            real_ip = value.decode("latin-1")
        elif name == b"x-forwarded-proto":
            scheme = value.decode("latin-1").strip().lower()
    return Origin(admission.client(peer, forwarded, real_ip), secure=scheme == "https")


def rate_headers(counted: Sequence[Allowance]) -> Headers:
    """RateLimit and RateLimit-Policy, one member per policy (draft-ietf-httpapi-ratelimit-headers-10)."""
    if not counted:
        return []
    policies = ", ".join(f'"{a.policy.name}";q={a.policy.requests};w={a.policy.window_s:g}' for a in counted)
    left = ", ".join(f'"{a.policy.name}";r={a.remaining};t={a.reset_s:.0f}' for a in counted)
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())]
