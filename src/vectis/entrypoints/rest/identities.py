"""What callers send and get about principals, roles, keys, sessions and tokens."""

from datetime import datetime

import msgspec

from vectis.access.logins import TokenPair
from vectis.access.service import MadeKey
from vectis.domain.access import Permission
from vectis.domain.principals import ApiKey, Grant, Principal, PrincipalKind, PrincipalStatus, Role, Session
from vectis.domain.shapes import Shape


class CreatePrincipal(Shape, frozen=True):
    """A principal: a person, who may get a password, or a service. `contact` is whom to tell in an emergency."""

    name: str
    kind: PrincipalKind = PrincipalKind.PERSON
    grants: tuple[Grant, ...] = ()
    tenant: str = ""
    contact: str = ""


class ChangePrincipal(Shape, frozen=True):
    """What to change; what is absent stays."""

    grants: tuple[Grant, ...] | None = None
    status: PrincipalStatus | None = None
    contact: str | None = None


class SetPassword(Shape, frozen=True):
    """A person's password: 12 characters or more."""

    password: str


class PutRole(Shape, frozen=True):
    """What an own role allows."""

    permissions: frozenset[Permission]


class CreateKey(Shape, frozen=True):
    """A key that can do what `role` allows on `collections`.

    When there is no such principal a service is made, with that as its grant (`tenant` and `contact` are its own). A principal
    that is there must have the role; `role`, `permissions` and `collections` then make the key narrower than it.
    """

    principal: str
    role: str | None = None
    collections: tuple[str, ...] | None = None
    permissions: frozenset[Permission] | None = None
    tenant: str = ""
    contact: str = ""
    expires_at: datetime | None = None
    addresses: tuple[str, ...] = ()


class OfPrincipal(Shape, frozen=True):
    """Those of one principal; all without it."""

    principal: str | None = None


class LogIn(Shape, frozen=True):
    """A person's name and password."""

    name: str
    password: str


class RefreshToken(Shape, frozen=True):
    """A refresh token, good once."""

    refresh_token: str


class PrincipalView(msgspec.Struct):
    """A principal."""

    name: str
    kind: PrincipalKind
    status: PrincipalStatus
    grants: list[Grant]
    tenant: str
    contact: str
    created_at: datetime


class PrincipalList(msgspec.Struct):
    """All principals, by name."""

    users: list[PrincipalView]


class RoleView(msgspec.Struct):
    """A role; built-in ones cannot be changed."""

    name: str
    permissions: list[Permission]
    built_in: bool


class RoleList(msgspec.Struct):
    """All roles."""

    roles: list[RoleView]


class KeyView(msgspec.Struct):
    """A key without its text. `permissions` and `collections` are absent where it is as wide as its principal."""

    id: str
    principal: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    addresses: list[str]
    permissions: list[Permission] | None
    collections: list[str] | None


class KeyList(msgspec.Struct):
    """Keys, newest first."""

    keys: list[KeyView]


class KeyMade(msgspec.Struct):
    """A key with its text, shown this once."""

    key: str
    id: str
    principal: str
    expires_at: datetime | None


class SessionView(msgspec.Struct):
    """An open session."""

    id: str
    principal: str
    created_at: datetime
    refreshed_at: datetime | None
    expires_at: datetime


class SessionList(msgspec.Struct):
    """Open sessions, newest first, and how many."""

    sessions: list[SessionView]
    count: int


class SigningKeyMade(msgspec.Struct):
    """The name of the key that access tokens are signed with from here on."""

    kid: str


class Tokens(msgspec.Struct):
    """An access token for `expires_in` seconds, and a refresh token that is good once."""

    access_token: str
    refresh_token: str
    expires_in: int
    session: str
    token_type: str = "Bearer"


def principal_out(principal: Principal) -> PrincipalView:
    """A principal as shown."""
    return PrincipalView(
        name=principal.name,
        kind=principal.kind,
        status=principal.status,
        grants=list(principal.grants),
        tenant=principal.tenant,
        contact=principal.contact,
        created_at=principal.created_at,
    )


def role_out(role: Role, *, built_in: bool) -> RoleView:
    """A role as shown."""
    return RoleView(name=role.name, permissions=sorted(role.permissions), built_in=built_in)


def key_out(key: ApiKey) -> KeyView:
    """A key as shown."""
    scope = key.scope
    return KeyView(
        id=key.id,
        principal=key.principal,
        created_at=key.created_at,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
        addresses=list(key.addresses),
        permissions=None if scope.permissions is None else sorted(scope.permissions),
        collections=None if scope.collections is None else list(scope.collections),
    )


def made_key_out(made: MadeKey) -> KeyMade:
    """A key as it is shown once."""
    key = made.key
    return KeyMade(key=made.text, id=key.id, principal=key.principal, expires_at=key.expires_at)


def session_out(session: Session) -> SessionView:
    """A session as shown."""
    return SessionView(
        id=session.id,
        principal=session.principal,
        created_at=session.created_at,
        refreshed_at=session.refreshed_at,
        expires_at=session.expires_at,
    )


def tokens_out(pair: TokenPair) -> Tokens:
    """Tokens as shown."""
    return Tokens(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_in=pair.expires_in_s,
        session=pair.session.id,
    )
