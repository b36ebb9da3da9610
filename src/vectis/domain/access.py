"""Who may do what: permissions, grants, callers, and the one rule that decides.

How a caller proves who it is, is not here. A service method takes a `Pass`, and only `authorize` and `authorize_on` make one.
"""

import re
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final, final

import msgspec

from vectis.domain.errors import PermissionDenied
from vectis.domain.schema import NAME_MAX, TENANT_MARK


class Permission(StrEnum):
    """What a role may allow."""

    READ_COLLECTIONS = "read_collections"
    WRITE_COLLECTIONS = "write_collections"
    DELETE_COLLECTIONS = "delete_collections"
    MANAGE_USERS = "manage_users"
    VIEW_METRICS = "view_metrics"
    SYSTEM_CONFIG = "system_config"
    RESTART_SERVICES = "restart_services"
    BACKUP_RESTORE = "backup_restore"


ON_COLLECTIONS = frozenset({Permission.READ_COLLECTIONS, Permission.WRITE_COLLECTIONS, Permission.DELETE_COLLECTIONS})
"""Permissions on collections. The others are on the whole server, which a tenant's principals never get."""


class Right(msgspec.Struct, frozen=True):
    """Permissions on the collections and aliases whose names fit one of the patterns (`*`, `?`, `[...]` as in a shell).

    `*` alone is everything its holder can name. Any other pattern reaches into a tenant only when it says so: `acme~*`.
    """

    permissions: frozenset[Permission]
    collections: tuple[str, ...] = ("*",)

    def covers(self, permission: Permission, name: str) -> bool:
        """Whether it allows `permission` on the collection called `name` as its caller writes it."""
        if permission in self.permissions:
            for pattern in self.collections:
                if pattern == "*" or _fits(name, pattern):
                    return True
        return False


class Caller(msgspec.Struct, frozen=True, eq=False):
    """Who calls. `credential` is the public id of the key or session; `tenant` is empty for one who belongs to none."""

    name: str
    rights: tuple[Right, ...]
    tenant: str = ""
    credential: str = ""

    def own_name(self, full_name: str) -> str:
        """The name of a collection or alias as this caller writes and reads it: without its own tenant."""
        return full_name.removeprefix(self.tenant + TENANT_MARK) if self.tenant else full_name

    def own_words(self, text: str) -> str:
        """A message with the names in it as this caller writes them."""
        return re.sub(rf"(?<![\w-]){re.escape(self.tenant)}{TENANT_MARK}", "", text) if self.tenant else text


_EVERYTHING = Right(permissions=frozenset(Permission))

SYSTEM = Caller(name="system", rights=(_EVERYTHING,))
"""Vectis itself: jobs, reconciling."""

ANYONE = Caller(name="anyone", rights=(_EVERYTHING,))
"""Whoever calls a server without access control, which listens on loopback only."""

NOBODY = Caller(name="nobody", rights=())
"""Whoever calls what is public: not asked for a name, and allowed nothing else."""

_SEAL = object()


class Pass:
    """The proof that `caller` may do what `permission` names, somewhere at least; lists show what it `sees`."""

    __slots__ = ("caller", "permission")

    def __init__(self, seal: object, caller: Caller, permission: Permission) -> None:
        if seal is not _SEAL:
            raise TypeError("a pass is made by authorize and authorize_on")
        self.caller: Final = caller
        self.permission: Final = permission

    def require(self, permission: Permission) -> None:
        """Refuse a pass that was made for something else: a fault of the surface that made it. Raises PermissionDenied."""
        if self.permission is not permission:
            raise PermissionDenied(
                f"this was asked with a pass to {self.permission}, it needs {permission}", permission=permission.value
            )

    def sees(self, full_name: str) -> bool:
        """Whether the permission covers this collection or alias, for lists."""
        caller = self.caller
        if caller.tenant and not full_name.startswith(caller.tenant + TENANT_MARK):
            return False
        name = caller.own_name(full_name)
        return any(right.covers(self.permission, name) for right in caller.rights)

    def sees_all(self) -> bool:
        """Whether there is nothing that it does not see; what is about no collection is seen only then."""
        return not self.caller.tenant and any(
            self.permission in right.permissions and "*" in right.collections for right in self.caller.rights
        )


@final
class CollectionPass(Pass):
    """The proof that `caller` may do what `permission` names with one collection or alias, by its full name."""

    __slots__ = ("collection",)

    def __init__(self, seal: object, caller: Caller, permission: Permission, collection: str) -> None:
        super().__init__(seal, caller, permission)
        self.collection: Final = collection


def authorize(caller: Caller, permission: Permission) -> Pass:
    """The pass for something that is not about one collection. Raises PermissionDenied."""
    if caller.tenant and permission not in ON_COLLECTIONS:
        raise _denied(caller, permission, f"which no principal of tenant {caller.tenant} can have")
    for right in caller.rights:
        if permission in right.permissions:
            return Pass(_SEAL, caller, permission)
    raise _denied(caller, permission, "which none of its roles has")


def authorize_on(caller: Caller, permission: Permission, name: str) -> CollectionPass:
    """The pass for one collection or alias, `name` as the caller wrote it.

    A tenant's caller cannot name what is not its tenant's: whatever it writes becomes a name within the tenant.
    Raises PermissionDenied, in the same words whether the collection exists or not.
    """
    if caller.tenant and permission not in ON_COLLECTIONS:
        raise _denied(caller, permission, f"which no principal of tenant {caller.tenant} can have")
    for right in caller.rights:
        if right.covers(permission, name):
            full_name = f"{caller.tenant}{TENANT_MARK}{name}" if caller.tenant else name
            return CollectionPass(_SEAL, caller, permission, full_name)
    raise _denied(caller, permission, f"which none of its roles has on {name[:140]!r}", collection=name[:140])


def tenant_of(full_name: str) -> str:
    """The tenant that a collection or alias belongs to; empty for none."""
    tenant, mark, _ = full_name.partition(TENANT_MARK)
    return tenant if mark else ""


def _fits(name: str, pattern: str) -> bool:
    if TENANT_MARK in name and TENANT_MARK not in pattern:
        return False
    return len(name) <= NAME_MAX and fnmatchcase(name, pattern)


def _denied(caller: Caller, permission: Permission, why: str, **fields: str) -> PermissionDenied:
    return PermissionDenied(
        f"{caller.name} needs the permission {permission}, {why}; ask an administrator for a role that has it",
        permission=permission.value,
        **fields,
    )
