"""From a credential to its caller: from memory when it is known, else by one look into the store.

A change that another process makes is seen within LOOK_S and the time of one read, one's own at once.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NoReturn, TypeVar

import msgspec

from vectis.access.keyring import Keyring
from vectis.access.keys import id_of_key
from vectis.access.lookup import LookedUp, Lookup
from vectis.access.rights import narrowed, rights_of
from vectis.domain.access import ANYONE, Caller, Permission, Right
from vectis.domain.errors import InvalidCredentials, TokenExpired, Unauthenticated, VectisError
from vectis.domain.ports.access import CredentialStore, StoredKey, TokenCodec
from vectis.domain.ports.clock import Clock
from vectis.domain.principals import PrincipalStatus

LOOK_S = 0.5
STALE_MAX_S = 30.0
"""For so long what is known serves while the store cannot be asked whether it still holds; after that it must be asked."""
NOTE_USE_S = 10.0
KNOWN_MAX = 10_000
LENGTH_MAX = 4096

LOCAL_MARK = "vtl_"
LOCAL = Caller(name="local", rights=(Right(frozenset(Permission)),), credential="local")
"""Whoever can read the private files of the data folder."""

T = TypeVar("T")


class RefusalReason(StrEnum):
    """Why a credential was not taken."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    DISABLED = "disabled"
    ADDRESS = "address"


class RefusedCredential(msgspec.Struct, frozen=True):
    """One credential that was not taken: why, its public id where it has one, and where it came from."""

    reason: RefusalReason
    credential: str
    address: str


class _KnownCaller(msgspec.Struct, frozen=True, eq=False):
    caller: Caller
    until: float
    key_id: str = ""
    addresses: tuple[str, ...] = ()


class Authenticator:
    """Every credential of every surface passes here, and so does every refusal of one: `on_refused` hears of each."""

    def __init__(
        self,
        store: CredentialStore,
        keyring: Keyring,
        tokens: TokenCodec,
        clock: Clock,
        *,
        local_token: Callable[[], str],
        on_refused: Callable[[RefusedCredential], None],
    ) -> None:
        """`local_token` gives what the command line reads from the data folder, empty for nobody."""
        self._store = store
        self._keyring = keyring
        self._tokens = tokens
        self._clock = clock
        self._read_local_token = local_token
        self._local_token = ""
        self._on_refused = on_refused
        self._lookup = Lookup(store)
        self._known: dict[bytes, _KnownCaller] = {}
        self._unknown: dict[bytes, RefusalReason] = {}
        self._used: set[str] = set()
        self._fresh_until = 0.0
        self._noted_at = clock.monotonic()

    @property
    def is_on(self) -> bool:
        """Whether callers are asked for credentials, as of the last look."""
        return self._keyring.state is not None

    def authenticate(self, credential: str, address: str) -> Caller | Awaitable[Caller]:
        """The caller behind a key or token sent from `address`: at once when it is known.

        Unauthenticated without a credential, TokenExpired, InvalidCredentials; StoreUnavailable when it has to be looked up.
        """
        if self._keyring.state is None:
            return ANYONE
        if not credential:
            self._refuse(RefusalReason.MISSING, "", address)
        if len(credential) > LENGTH_MAX:
            self._refuse(RefusalReason.MALFORMED, "", address)
        if credential.startswith(LOCAL_MARK):
            return self._local(credential, address)
        digest = self._keyring.digest(credential)
        known = self._known.get(digest)
        now = self._clock.monotonic()
        if known is None or now >= known.until or now >= self._fresh_until:
            return self._learn(credential, digest, address)
        return self._admit(known, address)

    async def look(self) -> bool:
        """See whether anything has changed, and forget who was known if so. Raises StoreUnavailable, InvalidSetting."""
        changed = await self._keyring.look()
        if changed or not self._local_token:
            self._local_token = self._read_local_token()
        if changed:
            self._known.clear()
            self._unknown.clear()
        self._fresh_until = self._clock.monotonic() + STALE_MAX_S
        return changed

    async def watch(self, on_failure: Callable[[VectisError], None]) -> None:
        """Look again and again, and note now and then which keys were used, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)  # other processes have no way to say that they changed something
            try:
                await self.look()
                if self._clock.monotonic() - self._noted_at >= NOTE_USE_S:
                    await self.note_use()
            except VectisError as error:
                on_failure(error)

    async def note_use(self) -> None:
        """Write down which keys were used since the last time. Raises StoreUnavailable, DiskFull."""
        self._noted_at = self._clock.monotonic()
        used, self._used = self._used, set()
        if used:
            await self._store.note_use(sorted(used), self._clock.now())

    def _local(self, credential: str, address: str) -> Caller:
        if not self._local_token or not hmac.compare_digest(credential.encode(), self._local_token.encode()):
            self._refuse(RefusalReason.UNKNOWN, "local", address)
        return LOCAL

    def _admit(self, known: _KnownCaller, address: str) -> Caller:
        if known.addresses and not _is_within(address, known.addresses):
            self._refuse(RefusalReason.ADDRESS, known.key_id, address)
        if known.key_id:
            self._used.add(known.key_id)
        return known.caller

    async def _learn(self, credential: str, digest: bytes, address: str) -> Caller:
        seen = self._keyring.state
        refused = self._unknown.get(digest)
        key_id = None if refused else id_of_key(credential)
        if refused is not None:
            self._refuse(refused, "", address)
        if key_id is not None:
            found = await self._lookup.key(key_id)
            known = self._resolve_key(found, digest)
            if found is not None and known is RefusalReason.UNKNOWN and await self.look():
                digest = self._keyring.digest(credential)  # another process has renewed the secret behind all keys
                seen, known = self._keyring.state, self._resolve_key(found, digest)
        elif credential.count(".") == 2:
            known = await self._resolve_token(credential, address)
        else:
            known = RefusalReason.MALFORMED
        if seen is self._keyring.state:  # else it may have been read before the change that has been seen meanwhile
            if isinstance(known, RefusalReason):
                _keep(self._unknown, digest, known)
            else:
                _keep(self._known, digest, known)
        if isinstance(known, RefusalReason):
            self._refuse(known, key_id or "", address)
        return self._admit(known, address)

    def _resolve_key(self, found: LookedUp | None, digest: bytes) -> _KnownCaller | RefusalReason:
        if found is None or not isinstance(found.credential, StoredKey):
            return RefusalReason.UNKNOWN
        if not hmac.compare_digest(found.credential.digest, digest):
            return RefusalReason.UNKNOWN
        key, principal, now = found.credential.key, found.principal, self._clock.now()
        if key.revoked_at is not None:
            return RefusalReason.REVOKED
        if not key.lives(now):
            return RefusalReason.EXPIRED
        if principal.status is not PrincipalStatus.ACTIVE:
            return RefusalReason.DISABLED
        rights = narrowed(rights_of(principal.grants, found.roles, principal.tenant), key.scope)
        left_s = float("inf") if key.expires_at is None else (key.expires_at - now).total_seconds()
        caller = Caller(name=principal.name, rights=rights, tenant=principal.tenant, credential=key.id)
        return _KnownCaller(caller, self._clock.monotonic() + left_s, key.id, key.addresses)

    async def _resolve_token(self, token: str, address: str) -> _KnownCaller | RefusalReason:
        try:
            claims = self._tokens.read(token, self._keyring.signing)
            if claims.expires_at <= self._clock.now():
                raise TokenExpired("the access token has expired; POST /api/v1/tokens/refresh gives another")
        except TokenExpired:
            self._on_refused(RefusedCredential(RefusalReason.EXPIRED, "", address))
            raise
        except InvalidCredentials:
            return RefusalReason.UNKNOWN
        found, now = await self._lookup.session(claims.session), self._clock.now()
        if found is None or found.principal.name != claims.principal or isinstance(found.credential, StoredKey):
            return RefusalReason.REVOKED
        if found.principal.status is not PrincipalStatus.ACTIVE:
            return RefusalReason.DISABLED
        ends_at = min(claims.expires_at, found.credential.expires_at)
        if ends_at <= now:
            return RefusalReason.EXPIRED
        principal = found.principal
        caller = Caller(
            name=principal.name,
            rights=rights_of(principal.grants, found.roles, principal.tenant),
            tenant=principal.tenant,
            credential=claims.session,
        )
        return _KnownCaller(caller, self._clock.monotonic() + (ends_at - now).total_seconds())

    def _refuse(self, reason: RefusalReason, credential: str, address: str) -> NoReturn:
        self._on_refused(RefusedCredential(reason, credential, address))
        if reason is RefusalReason.MISSING:
            raise Unauthenticated("API key required")
        raise InvalidCredentials("Invalid API key")


def _keep(kept: dict[bytes, T], digest: bytes, value: T) -> None:
    if len(kept) >= KNOWN_MAX:
        del kept[next(iter(kept))]
    kept[digest] = value


@lru_cache(maxsize=KNOWN_MAX)
def _is_within(address: str, ranges: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(each) for each in ranges)
