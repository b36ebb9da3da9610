"""From grants to rights, narrower rights for a scoped key, and whether some rights lie within others. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from vectis.domain.access import ON_COLLECTIONS, Permission, Right
from vectis.domain.principals import Grant, Role, Scope, permissions_of
from vectis.domain.schema import TENANT_MARK

_WILD = "*?["


def rights_of(grants: Iterable[Grant], roles: Mapping[str, Role], tenant: str = "") -> tuple[Right, ...]:
    """The rights that grants amount to. In a tenant only permissions on collections count. `roles` are the own ones."""
    rights: list[Right] = []
    for grant in grants:
        permissions = permissions_of(grant.role, roles)
        if tenant:
            permissions &= ON_COLLECTIONS
        if permissions:
            rights.append(Right(permissions, grant.collections))
    return tuple(rights)


def narrowed(rights: Iterable[Right], scope: Scope) -> tuple[Right, ...]:
    """What is left of rights within a scope: never more than was there, never more than the scope names.

    Of two patterns that overlap, and neither lies in the other, nothing is left.
    """
    found: list[Right] = []
    for right in rights:
        permissions = right.permissions if scope.permissions is None else right.permissions & scope.permissions
        collections = right.collections if scope.collections is None else _both(right.collections, scope.collections)
        if permissions and collections:
            found.append(Right(permissions, collections))
    return tuple(found)


def beyond(wanted: Iterable[Right], own: Sequence[Right], tenant: str = "") -> str | None:
    """What of the rights `wanted` by a principal of `tenant` the `own` rights of a caller without one do not hold, None if all.

    Own rights are taken one by one: two of them together do not hold a pattern that neither holds.
    """
    for right in wanted:
        for permission in sorted(right.permissions):
            for pattern in right.collections:
                full = f"{tenant}{TENANT_MARK}{pattern}" if tenant else pattern
                if not any(_holds(one, permission, full) for one in own):
                    return f"{permission} on {full}" if permission in ON_COLLECTIONS else permission
    return None


def contains(outer: str, inner: str) -> bool:
    """Whether every name that fits the pattern `inner` fits `outer`. False also where that is so but hard to see."""
    if outer in ("*", inner):
        return True
    if inner == "*" or (TENANT_MARK in inner and TENANT_MARK not in outer):
        return False
    if not any(mark in inner for mark in _WILD):
        return fnmatchcase(inner, outer)
    # What `outer` says besides `*` must stand in `inner` as letters, and letters of `inner` stand in all that fits it.
    return "?" not in outer and "[" not in outer and "[" not in inner and fnmatchcase(inner, outer)


def _both(granted: Iterable[str], asked: Sequence[str]) -> tuple[str, ...]:
    kept: dict[str, None] = {}
    for outer in granted:
        for inner in asked:
            if contains(outer, inner):
                kept[inner] = None
            elif contains(inner, outer):
                kept[outer] = None
    return tuple(kept)


def _holds(right: Right, permission: Permission, pattern: str) -> bool:
    if permission not in right.permissions:
        return False
    return permission not in ON_COLLECTIONS or any(contains(outer, pattern) for outer in right.collections)
