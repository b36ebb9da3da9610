"""People and services that may call, their roles, keys and sessions. How a credential becomes a caller is access/'s."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from vectis.domain.access import Permission
from vectis.domain.errors import InvalidName
from vectis.domain.shapes import Shape

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

RESERVED: Final = frozenset({"anyone", "local", "reconciler", "system"})
"""Names of callers that are no principals."""


class PrincipalKind(StrEnum):
    """`person` may have a password; `service` has keys only."""

    PERSON = "person"
    SERVICE = "service"


class PrincipalStatus(StrEnum):
    """A disabled principal keeps its grants and keys, and none of them works."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Grant(Shape, frozen=True):
    """A role on the collections and aliases whose names fit one of the patterns (`*`, `?`, `[...]` as in a shell)."""

    role: str
    collections: tuple[str, ...] = ("*",)


class Principal(msgspec.Struct, frozen=True):
    """Who may call. `tenant` is empty for one who belongs to none; `contact` is whom to tell (a mail address, a channel)."""

    name: str
    kind: PrincipalKind
    created_at: datetime
    grants: tuple[Grant, ...] = ()
    tenant: str = ""
    status: PrincipalStatus = PrincipalStatus.ACTIVE
    contact: str = ""


class Role(msgspec.Struct, frozen=True):
    """Permissions under a name that grants give. Built-in ones never change."""

    name: str
    permissions: frozenset[Permission]


ADMIN: Final = "admin"
OPERATOR: Final = "operator"

BUILT_IN_ROLES: Final[Mapping[str, Role]] = {
    role.name: role
    for role in (
        Role(
            ADMIN,
            frozenset(
                {
                    Permission.READ_COLLECTIONS,
                    Permission.WRITE_COLLECTIONS,
                    Permission.DELETE_COLLECTIONS,
                    Permission.MANAGE_USERS,
                    Permission.VIEW_METRICS,
                    Permission.SYSTEM_CONFIG,
                }
            ),
        ),
        Role(
            OPERATOR,
            frozenset(
                {
                    Permission.READ_COLLECTIONS,
                    Permission.VIEW_METRICS,
                    Permission.RESTART_SERVICES,
                    Permission.BACKUP_RESTORE,
                }
            ),
        ),
        Role("viewer", frozenset({Permission.READ_COLLECTIONS, Permission.VIEW_METRICS})),
    )
}


class Scope(Shape, frozen=True):
    """What narrows a key below its principal: permissions and collection patterns; None leaves the principal's."""

    permissions: frozenset[Permission] | None = None
    collections: tuple[str, ...] | None = None


class ApiKey(msgspec.Struct, frozen=True):
    """A key as everybody may see it: `id` is its public part. `addresses` are CIDR ranges, empty for any address."""

    id: str
    principal: str
    created_at: datetime
    expires_at: datetime | None = None
    addresses: tuple[str, ...] = ()
    scope: Scope = Scope()
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def lives(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Session(msgspec.Struct, frozen=True):
    """A log-in of a person until it is ended or `expires_at`. `refreshes` counts the refresh tokens that were used up."""

    id: str
    principal: str
    created_at: datetime
    expires_at: datetime
    refreshes: int = 0
    refreshed_at: datetime | None = None


class SigningKey(msgspec.Struct, frozen=True):
    """The name of a key that access tokens are signed with; `retires_at` is when the last token of a replaced one ends."""

    kid: str
    retires_at: datetime | None = None


class AccessState(msgspec.Struct, frozen=True):
    """That access control is on. `version` grows with each change of who may do what; signing keys newest first."""

    version: int
    signing_keys: tuple[SigningKey, ...]


def is_admin(principal: Principal, roles: Mapping[str, Role]) -> bool:
    """Whether it is active and may manage users; one such principal always remains. `roles` are the own ones."""
    return (
        principal.status is PrincipalStatus.ACTIVE
        and not principal.tenant
        and any(Permission.MANAGE_USERS in permissions_of(grant.role, roles) for grant in principal.grants)
    )


def permissions_of(role: str, roles: Mapping[str, Role]) -> frozenset[Permission]:
    """What a role allows; a role that is gone allows nothing. `roles` are the own ones."""
    found = BUILT_IN_ROLES.get(role) or roles.get(role)
    return found.permissions if found else frozenset()


def check_names(*, principals: Iterable[str] = (), roles: Iterable[str] = (), tenants: Iterable[str] = ()) -> None:
    """Raise InvalidName for a name that cannot be given."""
    for field, pattern, allowed, names in (
        ("principal", _NAME, "letters, digits and _ . @ + -", principals),
        ("role", _NAME, "letters, digits and _ . @ + -", roles),
        ("tenant", _TENANT, "letters, digits, _ and -", tenants),
    ):
        for name in names:
            if not pattern.fullmatch(name):
                raise InvalidName(
                    f"{field}: {name[:80]!r} is no name: 1 to 64 {allowed}, beginning with a letter or digit",
                    field=field,
                )
            if field == "principal" and name in RESERVED:
                raise InvalidName(f"principal: {name} means a caller without a principal; choose another", field=field)
