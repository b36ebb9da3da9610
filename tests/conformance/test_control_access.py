"""Principals, roles, keys and sessions in every control store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from control_suite import NOW

from vectis.adapters.sql.database import Database
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.sql.tables import access_state, api_keys, principals, roles, sessions
from vectis.domain.access import Permission
from vectis.domain.errors import Conflict, PrincipalNotFound, RoleNotFound
from vectis.domain.ports.access import PrincipalChange, StoredKey
from vectis.domain.principals import (
    AccessState,
    ApiKey,
    Grant,
    Principal,
    PrincipalKind,
    PrincipalStatus,
    Role,
    Scope,
    Session,
    SigningKey,
)

ADMIN = Principal("admin", PrincipalKind.PERSON, NOW, grants=(Grant("admin"), Grant("operator")))
READ = frozenset({Permission.READ_COLLECTIONS})


@pytest.fixture
async def begun(store: SqlStore, store_url: str) -> AsyncIterator[SqlStore]:
    """A store with access control on, for this test alone."""
    await store.begin_access(ADMIN, key("k0", "admin"), SigningKey("one"))
    yield store
    database = Database(store_url)
    async with database.write() as connection:
        for table in (sessions, api_keys, roles, principals, access_state):
            await connection.execute(sa.delete(table))
    await database.close()


def key(key_id: str, principal: str, *, minutes: int = 0) -> StoredKey:
    made = ApiKey(key_id, principal, NOW + timedelta(minutes=minutes))
    return StoredKey(made, digest=b"digest of " + key_id.encode())


def service(name: str, *grants: Grant) -> Principal:
    return Principal(name, PrincipalKind.SERVICE, NOW, grants=grants, tenant="acme", contact="ops@example.org")


def session(session_id: str, principal: str = "admin", *, hours: int = 1) -> Session:
    return Session(session_id, principal, NOW, NOW + timedelta(hours=hours))


async def test_access_control_is_off_until_it_begins(store: SqlStore) -> None:
    assert await store.access_state() is None
    with pytest.raises(Conflict, match="vectis init"):
        await store.add_principal(service("app"))


async def test_it_begins_once(begun: SqlStore) -> None:
    assert await begun.access_state() == AccessState(1, (SigningKey("one"),))
    with pytest.raises(Conflict, match="keys rotate"):
        await begun.begin_access(service("other"), key("k9", "other"), SigningKey("two"))
    assert await begun.principals() == [ADMIN]
    assert await begun.keys() == [key("k0", "admin").key]


async def test_a_principal_comes_back_as_it_was_kept(begun: SqlStore) -> None:
    kept = service("app", Grant("viewer", ("docs", "pages-*")))
    await begun.add_principal(kept)
    assert await begun.principal("app") == kept
    assert await begun.principals() == [ADMIN, kept]
    assert await begun.principal("absent") is None
    with pytest.raises(Conflict, match="already"):
        await begun.add_principal(kept)


async def test_every_change_makes_the_version_greater_and_a_refused_one_does_not(begun: SqlStore) -> None:
    await begun.add_principal(service("app"))
    await begun.put_role(Role("reader", READ))
    await begun.add_key(key("k1", "app"), live_max=2)
    await begun.revoke_key("k1", NOW)
    assert await version(begun) == 5
    with pytest.raises(PrincipalNotFound):
        await begun.change_principal("absent", PrincipalChange(contact="x"))
    assert await version(begun) == 5


async def test_what_is_not_said_stays(begun: SqlStore) -> None:
    await begun.add_principal(service("app", Grant("viewer")))
    changed = await begun.change_principal("app", PrincipalChange(status=PrincipalStatus.DISABLED))
    assert (changed.status, changed.grants, changed.contact) == ("disabled", (Grant("viewer"),), "ops@example.org")
    changed = await begun.change_principal("app", PrincipalChange(grants=(), contact=""))
    assert (changed.status, changed.grants, changed.contact) == ("disabled", (), "")


async def test_a_grant_needs_its_role(begun: SqlStore) -> None:
    with pytest.raises(RoleNotFound, match="reader"):
        await begun.add_principal(service("app", Grant("reader")))
    await begun.put_role(Role("reader", READ))
    await begun.add_principal(service("app", Grant("reader")))
    with pytest.raises(Conflict, match="app"):
        await begun.remove_role("reader")
    await begun.change_principal("app", PrincipalChange(grants=()))
    assert await begun.remove_role("reader")
    assert not await begun.remove_role("reader")
    assert await begun.roles() == {}


async def test_the_last_who_may_manage_users_stays(begun: SqlStore) -> None:
    with pytest.raises(Conflict, match="manage users"):
        await begun.remove_principal("admin")
    with pytest.raises(Conflict, match="manage users"):
        await begun.change_principal("admin", PrincipalChange(status=PrincipalStatus.DISABLED))
    with pytest.raises(Conflict, match="manage users"):
        await begun.change_principal("admin", PrincipalChange(grants=(Grant("operator"),)))
    await begun.put_role(Role("people", frozenset({Permission.MANAGE_USERS})))
    other = Principal("other", PrincipalKind.PERSON, NOW, grants=(Grant("people"),))
    await begun.add_principal(other)
    assert await begun.remove_principal("admin")
    with pytest.raises(Conflict, match="manage users"):
        await begun.put_role(Role("people", READ))
    assert await begun.roles() == {"people": Role("people", frozenset({Permission.MANAGE_USERS}))}


async def test_two_that_disable_each_other_at_once_leave_one(begun: SqlStore) -> None:
    await begun.add_principal(Principal("other", PrincipalKind.PERSON, NOW, grants=(Grant("admin"),)))
    ended = await asyncio.gather(
        *(
            begun.change_principal(name, PrincipalChange(status=PrincipalStatus.DISABLED))
            for name in ("admin", "other")
        ),
        return_exceptions=True,
    )
    assert sorted(type(each) for each in ended if isinstance(each, Exception)) == [Conflict]
    active = [p for p in await begun.principals() if p.status is PrincipalStatus.ACTIVE]
    assert len(active) == 1


async def test_a_principal_has_no_more_live_keys_than_allowed(begun: SqlStore) -> None:
    await begun.add_key(key("k1", "admin"), live_max=2)
    with pytest.raises(Conflict, match="revoke one"):
        await begun.add_key(key("k2", "admin"), live_max=2)
    assert await begun.revoke_key("k0", NOW)
    await begun.add_key(key("k2", "admin"), live_max=2)
    with pytest.raises(PrincipalNotFound):
        await begun.add_key(key("k3", "absent"), live_max=2)


async def test_an_expired_key_is_not_live(begun: SqlStore) -> None:
    ended = ApiKey("k1", "admin", NOW - timedelta(days=2), expires_at=NOW - timedelta(days=1))
    await begun.add_key(StoredKey(ended, b"d"), live_max=2)
    await begun.add_key(key("k2", "admin"), live_max=2)
    assert {each.id for each in await begun.keys()} == {"k0", "k1", "k2"}


async def test_a_key_comes_back_whole(begun: SqlStore) -> None:
    scope = Scope(permissions=READ, collections=("docs-*",))
    made = ApiKey("k1", "admin", NOW + timedelta(seconds=1), NOW + timedelta(days=1), ("10.0.0.0/8",), scope)
    await begun.add_key(StoredKey(made, b"\x00\xff"), live_max=2)
    assert await begun.keys("admin") == [made, key("k0", "admin").key]
    found = await begun.find_credentials(["k1", "absent"], ["absent"])
    assert dict(found.keys) == {"k1": StoredKey(made, b"\x00\xff")}
    assert dict(found.principals) == {"admin": ADMIN}


async def test_revoking_again_keeps_the_first_time(begun: SqlStore) -> None:
    assert await begun.revoke_key("k0", NOW)
    assert await begun.revoke_key("k0", NOW + timedelta(days=1))
    assert [each.revoked_at for each in await begun.keys()] == [NOW]
    assert not await begun.revoke_key("absent", NOW)


async def test_keys_are_replaced_in_one_step(begun: SqlStore) -> None:
    await begun.replace_keys(key("k1", "admin", minutes=1))
    later = NOW + timedelta(minutes=1)
    assert [(each.id, each.revoked_at) for each in await begun.keys("admin")] == [("k1", None), ("k0", later)]


async def test_note_of_use_changes_no_version(begun: SqlStore) -> None:
    before = await version(begun)
    await begun.note_use(["k0", "absent"], NOW)
    assert [each.last_used_at for each in await begun.keys()] == [NOW]
    assert await version(begun) == before


async def test_sessions_last_until_they_expire_or_end(begun: SqlStore) -> None:
    await begun.add_session(session("short"))
    await begun.add_session(session("long", hours=9))
    assert {each.id for each in await begun.sessions(NOW)} == {"short", "long"}
    assert [each.id for each in await begun.sessions(NOW + timedelta(hours=1), "admin")] == ["long"]
    later = Session("later", "admin", NOW + timedelta(hours=2), NOW + timedelta(hours=3))
    await begun.add_session(later)
    assert dict((await begun.find_credentials([], ["short", "later"])).sessions) == {"later": later}
    assert await begun.end_session("long")
    assert not await begun.end_session("long")
    with pytest.raises(PrincipalNotFound):
        await begun.add_session(session("nobody's", "absent"))


async def test_one_refresh_of_two_at_once_counts(begun: SqlStore) -> None:
    await begun.add_session(session("s"))
    seen = await asyncio.gather(*(begun.refresh_session("s", 0, NOW + timedelta(seconds=1)) for _ in range(2)))
    assert [each.refreshes for each in seen if each] == [1]
    assert await begun.refresh_session("s", 1, NOW + timedelta(hours=1)) is None


async def test_a_password_and_disabling_end_sessions(begun: SqlStore) -> None:
    assert await begun.password_hash("admin") is None
    await begun.add_session(session("s"))
    await begun.set_password("admin", "hash")
    assert await begun.sessions(NOW) == []
    assert await begun.password_hash("admin") == "hash"
    await begun.add_principal(service("app"))
    await begun.add_session(session("t", "app"))
    await begun.change_principal("app", PrincipalChange(status=PrincipalStatus.DISABLED))
    assert await begun.sessions(NOW) == []


async def test_what_belongs_to_a_principal_goes_with_it(begun: SqlStore) -> None:
    await begun.add_principal(service("app"))
    await begun.add_key(key("k1", "app"), live_max=2)
    await begun.add_session(session("s", "app"))
    assert await begun.remove_principal("app")
    assert not await begun.remove_principal("app")
    found = await begun.find_credentials(["k1"], ["s"])
    assert (dict(found.keys), dict(found.sessions)) == ({}, {})


async def test_the_emergency_replaces_everything_at_once(begun: SqlStore) -> None:
    await begun.add_principal(service("app"))
    await begun.add_key(key("k1", "app"), live_max=2)
    await begun.add_session(session("s"))
    now = NOW + timedelta(hours=1)
    await begun.replace_all_credentials([key("k2", "admin"), key("k3", "app")], SigningKey("two"), now)
    assert {each.id for each in await begun.keys() if each.lives(now)} == {"k2", "k3"}
    assert await begun.sessions(NOW) == []
    assert (await begun.access_state() or AccessState(0, ())).signing_keys == (SigningKey("two"),)


async def test_a_replaced_signing_key_retires(begun: SqlStore) -> None:
    end = NOW + timedelta(minutes=30)
    await begun.rotate_signing_key(SigningKey("two"), NOW, end)
    assert await signing(begun) == (SigningKey("two"), SigningKey("one", end))
    await begun.rotate_signing_key(SigningKey("three"), end, end + timedelta(minutes=30))
    assert await signing(begun) == (SigningKey("three"), SigningKey("two", end + timedelta(minutes=30)))


async def version(store: SqlStore) -> int:
    state = await store.access_state()
    assert state is not None
    return state.version


async def signing(store: SqlStore) -> tuple[SigningKey, ...]:
    state = await store.access_state()
    assert state is not None
    return state.signing_keys
