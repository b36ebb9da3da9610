"""Log-ins of people: a password opens a session, its access tokens are short, its refresh tokens are good once.

A refresh token is not stored: it carries the session, the number of its refresh and a mark that only this server can make.
"""

import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from vectis.access.keyring import Keyring
from vectis.access.keys import random_text
from vectis.domain.errors import InvalidCredentials, SessionNotFound
from vectis.domain.ports.access import AccessStore, Claims, PasswordHasher, TokenCodec
from vectis.domain.ports.clock import Clock
from vectis.domain.principals import PrincipalStatus, Session

_MARK = "vtr"
_ID_LENGTH = 22


class TokenPair(msgspec.Struct, frozen=True):
    """What a log-in or a refresh gives. The access token is good for `expires_in_s`."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    session: Session


class Logins:
    """Opens, refreshes and ends sessions by what their owner knows."""

    def __init__(
        self,
        store: AccessStore,
        keyring: Keyring,
        tokens: TokenCodec,
        passwords: PasswordHasher,
        clock: Clock,
        *,
        token_life: timedelta,
        session_life: timedelta,
        on_change: Callable[[], Awaitable[object]],
    ) -> None:
        """`on_change` is awaited after a session has ended, so that this process acts on it at once.

        An access token lives for `token_life`, a session for `session_life` from its log-in, however often it is refreshed.
        """
        self._store = store
        self._keyring = keyring
        self._tokens = tokens
        self._passwords = passwords
        self._clock = clock
        self._token_life = token_life
        self._session_life = session_life
        self._on_change = on_change

    async def log_in(self, name: str, password: str) -> TokenPair:
        """Open a session. InvalidCredentials, in the same words and the same time, whatever is wrong."""
        principal = await self._store.principal(name)
        fits = await self._passwords.matches(await self._store.password_hash(name), password)
        if not fits or principal is None or principal.status is not PrincipalStatus.ACTIVE:
            raise InvalidCredentials("name or password is wrong")
        now = self._clock.now()
        session = Session(
            id=random_text(_ID_LENGTH), principal=name, created_at=now, expires_at=now + self._session_life
        )
        await self._store.add_session(session)
        return self._pair(session)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Tokens in exchange for a refresh token, which is used up. InvalidCredentials.

        One that was used up before ends the session: either its owner or who took it from him has the later one.
        """
        session_id, refreshes = self._read(refresh_token)
        session = await self._store.refresh_session(session_id, refreshes, self._clock.now())
        if session is None:
            await self._end(session_id)
            raise InvalidCredentials("this refresh token was used before or its session has ended; log in again")
        return self._pair(session)

    async def log_out(self, refresh_token: str) -> None:
        """End the session of a refresh token. InvalidCredentials; SessionNotFound when it has ended."""
        session_id, _ = self._read(refresh_token)
        if not await self._end(session_id):
            raise SessionNotFound("this session has ended already", session=session_id)

    async def _end(self, session_id: str) -> bool:
        ended = await self._store.end_session(session_id)
        await self._on_change()
        return ended

    def _pair(self, session: Session) -> TokenPair:
        now = self._clock.now()
        expires_at = min(now + self._token_life, session.expires_at)
        kid, secret = next(iter(self._keyring.signing.items()))
        claims = Claims(session.principal, session.id, expires_at)
        text = f"{_MARK}_{session.id}_{session.refreshes}"
        return TokenPair(
            access_token=self._tokens.issue(claims, kid, secret, now),
            refresh_token=f"{text}_{self._keyring.sign(text)}",
            expires_in_s=round((expires_at - now).total_seconds()),
            session=session,
        )

    def _read(self, refresh_token: str) -> tuple[str, int]:
        text, _, mark = refresh_token.rpartition("_")
        parts = text.split("_")
        if len(parts) != 3 or not hmac.compare_digest(self._keyring.sign(text).encode(), mark.encode()):
            raise InvalidCredentials("this is no refresh token of this server")
        return parts[1], int(parts[2])
