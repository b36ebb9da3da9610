"""What access control needs from outside: where identities are kept, and how secrets, passwords and tokens are made."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from vectis.domain.principals import AccessState, ApiKey, Grant, Principal, PrincipalStatus, Role, Session, SigningKey


class StoredKey(msgspec.Struct, frozen=True):
    """A key and the keyed hash of its text; the text itself is kept nowhere."""

    key: ApiKey
    digest: bytes


class PrincipalChange(msgspec.Struct, frozen=True):
    """What to change of a principal; None leaves it."""

    grants: tuple[Grant, ...] | None = None
    status: PrincipalStatus | None = None
    contact: str | None = None


class FoundCredentials(msgspec.Struct, frozen=True):
    """Credentials by id, as one moment saw them, with their principals by name and all own roles."""

    keys: Mapping[str, StoredKey]
    sessions: Mapping[str, Session]
    principals: Mapping[str, Principal]
    roles: Mapping[str, Role]


class PrincipalStore(Protocol):
    """Principals and own roles. Every change makes the version of the access state one greater, in its transaction.

    A change that would leave no active principal that may manage users is a Conflict.
    """

    async def access_state(self) -> AccessState | None:
        """None until access control is on."""
        ...

    async def begin_access(self, principal: Principal, key: StoredKey, signing_key: SigningKey) -> None:
        """Turn access control on, with its first principal and key. Conflict when it is on already."""
        ...

    async def principals(self) -> list[Principal]:
        """All, by name."""
        ...

    async def principal(self, name: str) -> Principal | None:
        """None on absence."""
        ...

    async def add_principal(self, principal: Principal) -> None:
        """Conflict when the name is taken; RoleNotFound."""
        ...

    async def change_principal(self, name: str, change: PrincipalChange) -> Principal:
        """Change it and give it back; disabling ends its sessions. PrincipalNotFound; RoleNotFound."""
        ...

    async def remove_principal(self, name: str) -> bool:
        """Remove it with its keys and sessions; False when absent."""
        ...

    async def roles(self) -> dict[str, Role]:
        """The own roles by name."""
        ...

    async def put_role(self, role: Role) -> None:
        """Create or replace it."""
        ...

    async def remove_role(self, name: str) -> bool:
        """False when absent; Conflict while a principal has it."""
        ...


class CredentialStore(Protocol):
    """Keys, passwords and sessions. What takes rights away makes the version of the access state one greater."""

    async def add_key(self, key: StoredKey, *, live_max: int) -> None:
        """PrincipalNotFound; Conflict when it has `live_max` live keys already."""
        ...

    async def replace_keys(self, key: StoredKey) -> None:
        """Revoke the keys of the key's principal and add this one. PrincipalNotFound."""
        ...

    async def replace_all_credentials(self, keys: Sequence[StoredKey], signing_key: SigningKey, now: datetime) -> None:
        """Revoke every key, end every session, forget every other signing key, and add these."""
        ...

    async def keys(self, principal: str | None = None) -> list[ApiKey]:
        """Newest first, revoked ones too."""
        ...

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        """False when absent; revoking again changes nothing."""
        ...

    async def note_use(self, key_ids: Sequence[str], at: datetime) -> None:
        """Write when these keys were last used."""
        ...

    async def find_credentials(self, key_ids: Sequence[str], session_ids: Sequence[str]) -> FoundCredentials:
        """Those that exist, revoked and expired ones too."""
        ...

    async def set_password(self, name: str, password_hash: str) -> None:
        """Set it and end the principal's sessions. PrincipalNotFound."""
        ...

    async def password_hash(self, name: str) -> str | None:
        """None without a password or without the principal."""
        ...

    async def add_session(self, session: Session) -> None:
        """Keep it, and remove sessions that had expired when it was made. PrincipalNotFound."""
        ...

    async def sessions(self, now: datetime, principal: str | None = None) -> list[Session]:
        """Those that have not expired, newest first."""
        ...

    async def refresh_session(self, session_id: str, refreshes: int, now: datetime) -> Session | None:
        """Count one refresh of a session that stands at `refreshes`; None, and nothing changed, when it does not."""
        ...

    async def end_session(self, session_id: str) -> bool:
        """False when absent."""
        ...

    async def rotate_signing_key(self, key: SigningKey, now: datetime, retires_at: datetime) -> None:
        """Sign with `key` from here on; the one before is good until `retires_at`, what has retired is forgotten."""
        ...


class AccessStore(PrincipalStore, CredentialStore, Protocol):
    """All of it."""


class Secrets(msgspec.Struct, frozen=True):
    """`pepper` keys the hashes of API keys, `tokens` is what the signing keys of access tokens are derived from."""

    pepper: bytes
    tokens: bytes


class SecretSource(Protocol):
    """Where the server's own secrets come from."""

    def read(self) -> Secrets:
        """The secrets as they are now. InvalidSetting when there are none or they cannot be read."""
        ...

    def make(self) -> None:
        """Make them unless they are there; durable on return. InvalidSetting when they cannot be kept."""
        ...

    def renew(self) -> bool:
        """Replace them; False when they come from the settings and only their owner can."""
        ...


class PasswordHasher(Protocol):
    """Slow hashes of passwords, made beside the event loop. Unavailable when too many wait."""

    async def hash(self, password: str) -> str:
        """The hash, with its salt and parameters."""
        ...

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; takes as long without a hash."""
        ...


class Claims(msgspec.Struct, frozen=True):
    """What an access token says."""

    principal: str
    session: str
    expires_at: datetime


class TokenCodec(Protocol):
    """Signed access tokens."""

    def issue(self, claims: Claims, kid: str, secret: bytes, now: datetime) -> str:
        """A token signed under the key named `kid`."""
        ...

    def read(self, token: str, secrets: Mapping[str, bytes]) -> Claims:
        """The claims of a token signed under one of `secrets` (kid -> secret).

        TokenExpired when its time is over; InvalidCredentials when it is not one of ours.
        """
        ...
