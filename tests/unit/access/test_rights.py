"""Grants only ever add, scopes only ever take away, and nobody holds more than he has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.access.rights import beyond, contains, narrowed, rights_of
from vectis.domain.access import ON_COLLECTIONS, Caller, Permission, Right, authorize, authorize_on
from vectis.domain.errors import PermissionDenied
from vectis.domain.principals import BUILT_IN_ROLES, Grant, Role, Scope

MUTATING = frozenset(Permission) - {Permission.READ_COLLECTIONS, Permission.VIEW_METRICS}

names = st.text("ab-", min_size=1, max_size=4).map(lambda text: f"a{text}") | st.text("ab", min_size=1, max_size=2).map(
    lambda text: f"t~{text}"
)
patterns = st.text("ab-*?~", min_size=1, max_size=5) | st.sampled_from(["*", "a*", "t~*", "[ab]*", "a[!b]", "a?", "**"])
permissions = st.frozensets(st.sampled_from(Permission), min_size=1)
roles = st.dictionaries(st.sampled_from("xyz"), permissions).map(
    lambda found: {name: Role(name, allowed) for name, allowed in found.items()}
)
grants = st.builds(
    Grant,
    role=st.sampled_from(["admin", "operator", "viewer", "x", "y", "z"]),
    collections=st.lists(patterns, min_size=1, max_size=3).map(tuple),
)
grant_lists = st.lists(grants, max_size=4)
scopes = st.builds(
    Scope,
    permissions=st.none() | permissions,
    collections=st.none() | st.lists(patterns, min_size=1, max_size=3).map(tuple),
)


def allows(rights: tuple[Right, ...], permission: Permission, name: str, tenant: str = "") -> bool:
    caller = Caller("someone", rights, tenant)
    try:
        if permission in ON_COLLECTIONS:
            authorize_on(caller, permission, name)
        else:
            authorize(caller, permission)
    except PermissionDenied:
        return False
    return True


@given(grant_lists, grants, roles, st.sampled_from(["", "t"]), st.sampled_from(Permission), names)
def test_a_grant_more_takes_nothing_away(
    before: list[Grant], added: Grant, own: dict[str, Role], tenant: str, permission: Permission, name: str
) -> None:
    had = allows(rights_of(before, own, tenant), permission, name, tenant)
    has = allows(rights_of([*before, added], own, tenant), permission, name, tenant)
    assert has or not had


@given(st.lists(patterns, min_size=1, max_size=3).map(tuple), st.sampled_from(sorted(MUTATING)), names)
def test_a_viewer_changes_nothing(collections: tuple[str, ...], permission: Permission, name: str) -> None:
    assert not allows(rights_of([Grant("viewer", collections)], {}), permission, name)


@given(grant_lists, roles, scopes, st.sampled_from(Permission), names)
def test_a_key_is_never_wider_than_its_principal_nor_than_its_scope(
    given_grants: list[Grant], own: dict[str, Role], scope: Scope, permission: Permission, name: str
) -> None:
    whole = rights_of(given_grants, own)
    if allows(narrowed(whole, scope), permission, name):
        assert allows(whole, permission, name)
        assert scope.permissions is None or permission in scope.permissions
        if scope.collections is not None and permission in ON_COLLECTIONS:
            assert allows((Right(frozenset({permission}), scope.collections),), permission, name)


@given(grant_lists, roles)
def test_an_empty_scope_narrows_nothing(given_grants: list[Grant], own: dict[str, Role]) -> None:
    whole = rights_of(given_grants, own)
    assert narrowed(whole, Scope()) == whole


@given(patterns, patterns, names)
def test_what_is_contained_fits_only_what_fits_the_outer(outer: str, inner: str, name: str) -> None:
    fits = Right(frozenset({Permission.READ_COLLECTIONS}), (inner,)).covers(Permission.READ_COLLECTIONS, name)
    if contains(outer, inner) and fits:
        assert Right(frozenset({Permission.READ_COLLECTIONS}), (outer,)).covers(Permission.READ_COLLECTIONS, name)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("*", "anything", True),
        ("docs-*", "docs-a", True),
        ("docs*", "docs-*", True),
        ("docs-*", "docs*", False),
        ("docs-?", "docs-*", False),
        ("a*", "acme~*", False),
        ("acme~*", "acme~docs", True),
        ("**", "*", False),
    ],
)
def test_containment(outer: str, inner: str, expected: bool) -> None:
    assert contains(outer, inner) is expected


@given(grant_lists, grant_lists, roles, st.sampled_from(["", "t"]), st.sampled_from(Permission), names)
def test_what_is_not_beyond_the_caller_the_caller_has(
    wanted: list[Grant], own: list[Grant], roles_: dict[str, Role], tenant: str, permission: Permission, name: str
) -> None:
    rights = rights_of(wanted, roles_, tenant)
    caller = rights_of(own, roles_)
    name = name.rpartition("~")[2] if tenant else name
    if beyond(rights, caller, tenant) is None and allows(rights, permission, name, tenant):
        assert allows(caller, permission, f"{tenant}~{name}" if tenant else name)


def test_admin_and_operator_together_hold_every_permission() -> None:
    both = BUILT_IN_ROLES["admin"].permissions | BUILT_IN_ROLES["operator"].permissions
    assert both == frozenset(Permission)
    assert beyond([Right(frozenset(Permission))], rights_of([Grant("admin"), Grant("operator")], {})) is None
    assert beyond([Right(frozenset(Permission))], rights_of([Grant("admin")], {})) == "backup_restore"
