"""Access tokens signed with HS256 under a named key; no other algorithm is read, no claim may be missing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt

from vectis.domain.errors import InvalidCredentials, TokenExpired
from vectis.domain.ports.access import Claims

ALGORITHM = "HS256"
ISSUER = AUDIENCE = "vectis"
REQUIRED = ["aud", "exp", "iat", "iss", "jti", "sid", "sub"]
LEEWAY_S = 5
"""How far the clocks of two machines may be apart."""


class JwtTokens:
    """vectis.domain.ports.access.TokenCodec."""

    def issue(self, claims: Claims, kid: str, secret: bytes, now: datetime) -> str:
        """See the port."""
        content = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.principal,
            "sid": claims.session,
            "iat": now,
            "exp": claims.expires_at,
            "jti": uuid4().hex,
        }
        return jwt.encode(content, secret, algorithm=ALGORITHM, headers={"kid": kid})  # pyright: ignore[reportUnknownMemberType]

    def read(self, token: str, secrets: Mapping[str, bytes]) -> Claims:
        """See the port."""
        try:
            secret = secrets.get(jwt.get_unverified_header(token).get("kid", ""))
            if secret is None:
                raise InvalidCredentials("Invalid API key")
            content: dict[str, Any] = jwt.decode(  # pyright: ignore[reportUnknownMemberType]
                token,
                secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_S,
                options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("the access token has expired; POST /api/v1/tokens/refresh gives another") from None
        except jwt.InvalidTokenError:
            raise InvalidCredentials("Invalid API key") from None
        return Claims(content["sub"], content["sid"], datetime.fromtimestamp(content["exp"], UTC))
