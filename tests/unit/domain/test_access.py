"""The one rule that decides who may do what."""

import pytest
from passes import reads, reads_all, writes

from vectis.domain.access import (
    ANYONE,
    NOBODY,
    ON_COLLECTIONS,
    SYSTEM,
    Caller,
    CollectionPass,
    Pass,
    Permission,
    Right,
    authorize,
    authorize_on,
    tenant_of,
)
from vectis.domain.errors import PermissionDenied

ALL = frozenset(Permission)
READ = Permission.READ_COLLECTIONS


def caller(*patterns: str, tenant: str = "", permissions: frozenset[Permission] = ALL) -> Caller:
    return Caller(name="ann", rights=(Right(permissions, patterns),), tenant=tenant)


def may(who: Caller, name: str) -> bool:
    try:
        reads(name, who)
    except PermissionDenied:
        return False
    return True


def test_a_pass_is_made_by_authorize_alone() -> None:
    with pytest.raises(TypeError):
        Pass(object(), ANYONE, READ)
    with pytest.raises(TypeError):
        CollectionPass(object(), ANYONE, READ, "docs")


def test_a_pass_is_good_for_what_it_was_made_for() -> None:
    reads("docs").require(READ)
    with pytest.raises(PermissionDenied):
        reads("docs").require(Permission.WRITE_COLLECTIONS)


@pytest.mark.parametrize("permission", Permission)
def test_without_a_right_nothing_is_allowed(permission: Permission) -> None:
    for ask in (lambda: authorize(NOBODY, permission), lambda: authorize_on(NOBODY, permission, "docs")):
        with pytest.raises(PermissionDenied, match=permission.value):
            ask()
    assert authorize(SYSTEM, permission).permission is permission


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not_fit"),
    [
        ("*", ["docs", "acme~docs"], []),
        ("docs", ["docs"], ["docs-2", "Docs", "acme~docs"]),
        ("docs-*", ["docs-2", "docs-"], ["docs", "docs-team~x", "other~docs-2"]),
        ("d?cs", ["docs", "dacs"], ["dcs"]),
        ("[ab]*", ["alpha", "beta"], ["gamma", "a~x"]),
        ("acme~*", ["acme~docs"], ["docs", "acme", "acme2~docs"]),
        ("*~docs", ["acme~docs"], ["docs", "acme~other"]),
    ],
)
def test_patterns_fit_names(pattern: str, fits: list[str], does_not_fit: list[str]) -> None:
    who = caller(pattern)
    assert [name for name in fits if not may(who, name)] == []
    assert [name for name in does_not_fit if may(who, name)] == []
    assert all(reads_all(who).sees(name) for name in fits)
    assert not any(reads_all(who).sees(name) for name in does_not_fit)


def test_a_name_of_any_length_is_judged_in_no_time() -> None:
    assert not may(caller("*a*a*a*a*a*b"), "a" * 10_000_000)


@pytest.mark.parametrize("name", ["docs", "globex~docs", "~docs", "", "acme~docs"])
def test_whatever_a_tenant_writes_is_within_the_tenant(name: str) -> None:
    by = writes(name, caller("*", tenant="acme"))
    assert by.collection == f"acme~{name}"
    assert tenant_of(by.collection) == "acme"


def test_a_tenant_sees_its_own_as_it_writes_them() -> None:
    acme = caller("d*", tenant="acme")
    by = reads_all(acme)
    assert [n for n in ("docs", "acme~docs", "acme~x", "acme2~docs", "globex~docs") if by.sees(n)] == ["acme~docs"]
    assert acme.own_name("acme~docs") == "docs"
    assert (
        acme.own_words("collection 'acme~docs': see acme~x, not my-acme~x") == "collection 'docs': see x, not my-acme~x"
    )
    assert not by.sees_all()
    assert caller("*").own_words("acme~docs") == "acme~docs"


def test_only_who_sees_everything_sees_what_is_about_no_collection() -> None:
    assert reads_all(caller("a", "*")).sees_all()
    assert not reads_all(caller("a*")).sees_all()
    assert not reads_all(caller("*", tenant="acme")).sees_all()


@pytest.mark.parametrize("permission", Permission)
def test_the_server_is_no_tenants(permission: Permission) -> None:
    acme = caller("*", tenant="acme")
    for ask in (lambda: authorize(acme, permission), lambda: authorize_on(acme, permission, "docs")):
        if permission in ON_COLLECTIONS:
            assert ask().permission is permission
        else:
            with pytest.raises(PermissionDenied, match="tenant acme"):
                ask()
