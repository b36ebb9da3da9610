"""Access tokens: one algorithm, every claim, and nothing that somebody else signed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from vectis.adapters.jwt.tokens import JwtTokens
from vectis.domain.errors import InvalidCredentials, TokenExpired
from vectis.domain.ports.access import Claims

SECRETS = {"one": b"1" * 32, "two": b"2" * 32}
NOW = datetime.now(UTC).replace(microsecond=0)
CLAIMS = Claims("maria", "session", NOW + timedelta(minutes=30))
CONTENT = {
    "iss": "vectis", "aud": "vectis", "sub": "maria", "sid": "session", "jti": "x", "iat": NOW, "exp": CLAIMS.expires_at,
}  # fmt: skip


def forged(
    content: dict[str, Any], *, secret: bytes = SECRETS["one"], algorithm: str = "HS256", kid: str = "one"
) -> str:
    return jwt.encode(content, secret, algorithm=algorithm, headers={"kid": kid})


def test_what_was_issued_is_read() -> None:
    assert JwtTokens().read(JwtTokens().issue(CLAIMS, "two", SECRETS["two"], NOW), SECRETS) == CLAIMS


@pytest.mark.parametrize("claim", CONTENT)
def test_no_claim_may_be_missing(claim: str) -> None:
    with pytest.raises(InvalidCredentials):
        JwtTokens().read(forged({name: value for name, value in CONTENT.items() if name != claim}), SECRETS)


@pytest.mark.parametrize(
    "token",
    [
        forged(CONTENT, secret=SECRETS["two"]),
        forged(CONTENT, kid="three"),
        forged(CONTENT, algorithm="HS512"),
        jwt.encode(CONTENT, None, algorithm="none", headers={"kid": "one"}),
        forged({**CONTENT, "aud": "other"}),
        forged({**CONTENT, "iss": "other"}),
        forged({**CONTENT, "iat": NOW + timedelta(hours=1)}),
        "a.b.c",
        "..",
    ],
)
def test_what_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidCredentials):
        JwtTokens().read(token, SECRETS)


def test_an_old_one_says_that_it_has_expired() -> None:
    with pytest.raises(TokenExpired):
        JwtTokens().read(forged({**CONTENT, "exp": NOW - timedelta(minutes=1)}), SECRETS)
