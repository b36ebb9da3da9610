"""The use cases of access control, for callers that may manage users: principals, roles, keys, sessions, the beginning."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_network

import msgspec

from vectis.access.keyring import Keyring
from vectis.access.keys import make_key, random_text
from vectis.access.rights import beyond, contains, rights_of
from vectis.domain.access import Pass, Permission, Right
from vectis.domain.errors import (
    Conflict,
    InvalidInput,
    KeyNotFound,
    PermissionDenied,
    PrincipalNotFound,
    RoleNotFound,
    SessionNotFound,
)
from vectis.domain.ports.access import AccessStore, PasswordHasher, PrincipalChange, SecretSource, StoredKey
from vectis.domain.ports.clock import Clock
from vectis.domain.principals import (
    ADMIN,
    BUILT_IN_ROLES,
    OPERATOR,
    ApiKey,
    Grant,
    Principal,
    PrincipalKind,
    PrincipalStatus,
    Role,
    Scope,
    Session,
    SigningKey,
    check_names,
)

LIVE_KEYS_MAX = 2
"""Of one principal: the key in use and the one that takes its place."""
PASSWORD_MIN = 12
PASSWORD_MAX = 1024
GRANTS_MAX = 64


class KeyWish(msgspec.Struct, frozen=True):
    """A key to make. `role` and `collections` are what it can do; for a principal that does not exist yet, its first grant."""

    principal: str
    role: str | None = None
    collections: tuple[str, ...] | None = None
    permissions: frozenset[Permission] | None = None
    tenant: str = ""
    contact: str = ""
    expires_at: datetime | None = None
    addresses: tuple[str, ...] = ()


class MadeKey(msgspec.Struct, frozen=True):
    """A key and its text, which is shown this once."""

    key: ApiKey
    text: str


class RotatedKey(msgspec.Struct, frozen=True):
    """The key that a principal has after an emergency, and whom to tell."""

    principal: Principal
    text: str


class AccessService:
    """Every change is refused that would give, or take over, more than the caller has itself."""

    def __init__(
        self,
        store: AccessStore,
        keyring: Keyring,
        secrets: SecretSource,
        passwords: PasswordHasher,
        clock: Clock,
        *,
        key_environment: str,
        token_life: timedelta,
        on_change: Callable[[], Awaitable[object]],
    ) -> None:
        """`on_change` is awaited after each change, so that this process acts on it at once."""
        self._store = store
        self._keyring = keyring
        self._secrets = secrets
        self._passwords = passwords
        self._clock = clock
        self._key_environment = key_environment
        self._token_life = token_life
        self._on_change = on_change

    async def begin(self, by: Pass) -> str:
        """Turn access control on: makes the principal `admin` and gives the text of its key. Conflict when it is on."""
        by.require(Permission.MANAGE_USERS)
        self._secrets.make()
        await self._keyring.load()
        now = self._clock.now()
        admin = Principal(ADMIN, PrincipalKind.PERSON, now, grants=(Grant(ADMIN), Grant(OPERATOR)))
        stored, text = self._make(ADMIN, now)
        await self._store.begin_access(admin, stored, SigningKey(random_text(8)))
        await self._on_change()
        return text

    async def principals(self, by: Pass) -> list[Principal]:
        """All, by name."""
        by.require(Permission.MANAGE_USERS)
        return await self._store.principals()

    async def principal(self, by: Pass, name: str) -> Principal:
        """One. PrincipalNotFound."""
        by.require(Permission.MANAGE_USERS)
        found = await self._store.principal(name)
        if found is None:
            raise PrincipalNotFound(f"there is no principal {name[:80]!r}", principal=name[:80])
        return found

    async def create_principal(self, by: Pass, principal: Principal) -> Principal:
        """Keep a principal, as of now. Conflict when there is one; RoleNotFound, InvalidName, PermissionDenied."""
        by.require(Permission.MANAGE_USERS)
        check_names(principals=[principal.name], tenants=[principal.tenant] if principal.tenant else ())
        created = msgspec.structs.replace(principal, created_at=self._clock.now())
        await self._require_within(by, created)
        await self._store.add_principal(created)
        await self._on_change()
        return created

    async def change_principal(self, by: Pass, name: str, change: PrincipalChange) -> Principal:
        """Change grants, status or contact. Conflict when nobody would be left who may manage users; PermissionDenied."""
        by.require(Permission.MANAGE_USERS)
        before = await self._theirs(by, name)
        if change.grants is not None:
            await self._require_within(by, msgspec.structs.replace(before, grants=change.grants))
        changed = await self._store.change_principal(name, change)
        await self._on_change()
        return changed

    async def remove_principal(self, by: Pass, name: str) -> None:
        """Remove it with its keys and sessions. Conflict when nobody would be left who may manage users; PermissionDenied."""
        by.require(Permission.MANAGE_USERS)
        await self._theirs(by, name)
        await self._store.remove_principal(name)
        await self._on_change()

    async def set_password(self, by: Pass, name: str, password: str) -> None:
        """Set a person's password, which ends its sessions. InvalidInput for a service or a bad password; PermissionDenied."""
        by.require(Permission.MANAGE_USERS)
        if (await self._theirs(by, name)).kind is not PrincipalKind.PERSON:
            raise InvalidInput(f"{name} is a service: services have keys, only people have passwords", field="password")
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            raise InvalidInput(f"password: {PASSWORD_MIN} to {PASSWORD_MAX} characters", field="password")
        await self._store.set_password(name, await self._passwords.hash(password))
        await self._on_change()

    async def roles(self, by: Pass) -> list[Role]:
        """Built-in and own ones."""
        by.require(Permission.MANAGE_USERS)
        return [*BUILT_IN_ROLES.values(), *sorted((await self._store.roles()).values(), key=lambda role: role.name)]

    async def put_role(self, by: Pass, role: Role) -> Role:
        """Create or replace an own role. Conflict for a built-in one; PermissionDenied beyond what the caller has everywhere."""
        by.require(Permission.MANAGE_USERS)
        check_names(roles=[role.name])
        before = (await self._store.roles()).get(role.name)
        if role.name in BUILT_IN_ROLES:
            raise Conflict(f"the role {role.name} is built in; give yours another name", role=role.name)
        if not role.permissions:
            raise InvalidInput("permissions: name at least one", field="permissions")
        everywhere = [Right(role.permissions if before is None else role.permissions | before.permissions)]
        _require_held(by, everywhere, f"the role {role.name}")
        await self._store.put_role(role)
        await self._on_change()
        return role

    async def remove_role(self, by: Pass, name: str) -> None:
        """Remove an own role. RoleNotFound; Conflict for a built-in one and while a principal has it."""
        by.require(Permission.MANAGE_USERS)
        if name in BUILT_IN_ROLES:
            raise Conflict(f"the role {name} is built in and stays", role=name)
        if not await self._store.remove_role(name):
            raise RoleNotFound(f"there is no own role {name[:80]!r}", role=name[:80])
        await self._on_change()

    async def keys(self, by: Pass, principal: str | None = None) -> list[ApiKey]:
        """Of one principal or of all, newest first; without their texts, which nobody has."""
        by.require(Permission.MANAGE_USERS)
        return await self._store.keys(principal)

    async def create_key(self, by: Pass, wish: KeyWish) -> MadeKey:
        """Make a key, and a service of that name when there is no such principal.

        Conflict beyond LIVE_KEYS_MAX live keys; InvalidInput when it would be wider than its principal; PermissionDenied.
        """
        by.require(Permission.MANAGE_USERS)
        now = self._clock.now()
        _check_bounds(wish, now)
        principal = await self._store.principal(wish.principal)
        if principal is None:
            principal = await self._create_service(by, wish)
            scope = Scope(permissions=wish.permissions)
        else:
            await self._require_within(by, principal)
            scope = await self._scope(principal, wish)
        stored, text = self._make(principal.name, now, scope, wish.addresses, wish.expires_at)
        await self._store.add_key(stored, live_max=LIVE_KEYS_MAX)
        await self._on_change()
        return MadeKey(stored.key, text)

    async def rotate_keys(self, by: Pass, name: str) -> MadeKey:
        """Revoke a principal's keys and make one in their place, with the scope, addresses and end of the newest live one."""
        by.require(Permission.MANAGE_USERS)
        principal = await self._theirs(by, name)
        stored, text = await self._successor(principal)
        await self._store.replace_keys(stored)
        await self._on_change()
        return MadeKey(stored.key, text)

    async def rotate_all(self, by: Pass) -> list[RotatedKey]:
        """The emergency: renew the secret behind all keys, revoke every key, end every session, make each active one a key.

        When it is cut short no old key works once the secret is renewed, and another run makes keys again.
        """
        by.require(Permission.MANAGE_USERS)
        active = [p for p in await self._store.principals() if p.status is PrincipalStatus.ACTIVE]
        if not active:
            raise Conflict("access control is off: `vectis init` turns it on and makes the admin")
        self._secrets.renew()
        await self._keyring.load()
        made = [(principal, *await self._successor(principal)) for principal in active]
        keys = [stored for _, stored, _ in made]
        await self._store.replace_all_credentials(keys, SigningKey(random_text(8)), self._clock.now())
        await self._on_change()
        return [RotatedKey(principal, text) for principal, _, text in made]

    async def revoke_key(self, by: Pass, key_id: str) -> None:
        """Revoke a key for good. KeyNotFound; PermissionDenied."""
        by.require(Permission.MANAGE_USERS)
        key = next((key for key in await self._store.keys() if key.id == key_id), None)
        if key is None:
            raise KeyNotFound(f"there is no key {key_id[:80]!r}", key=key_id[:80])
        await self._theirs(by, key.principal)
        await self._store.revoke_key(key_id, self._clock.now())
        await self._on_change()

    async def sessions(self, by: Pass, principal: str | None = None) -> list[Session]:
        """Open sessions of one principal or of all, newest first."""
        by.require(Permission.MANAGE_USERS)
        return await self._store.sessions(self._clock.now(), principal)

    async def end_session(self, by: Pass, session_id: str) -> None:
        """End a session: its tokens work no more. SessionNotFound."""
        by.require(Permission.MANAGE_USERS)
        if not await self._store.end_session(session_id):
            raise SessionNotFound(f"there is no session {session_id[:80]!r}", session=session_id[:80])
        await self._on_change()

    async def rotate_signing_key(self, by: Pass) -> str:
        """Sign access tokens with another key from here on; gives its `kid`. Tokens under the one before live their time out."""
        by.require(Permission.MANAGE_USERS)
        now, kid = self._clock.now(), random_text(8)
        await self._store.rotate_signing_key(SigningKey(kid), now, now + self._token_life)
        await self._on_change()
        return kid

    async def _create_service(self, by: Pass, wish: KeyWish) -> Principal:
        if wish.role is None:
            raise PrincipalNotFound(
                f"there is no principal {wish.principal[:80]!r}; with a role one is made", principal=wish.principal[:80]
            )
        grant = Grant(wish.role, wish.collections or ("*",))
        service = Principal(
            wish.principal,
            PrincipalKind.SERVICE,
            self._clock.now(),
            grants=(grant,),
            tenant=wish.tenant,
            contact=wish.contact,
        )
        return await self.create_principal(by, service)

    async def _scope(self, principal: Principal, wish: KeyWish) -> Scope:
        """The scope that is asked for. InvalidInput when it is wider than what the principal has, so would not do as it says."""
        grants = [grant for grant in principal.grants if wish.role in (None, grant.role)]
        if wish.tenant not in ("", principal.tenant):
            raise InvalidInput(f"tenant: {principal.name} is not of tenant {wish.tenant}", field="tenant")
        if not grants:
            raise InvalidInput(
                f"role: {principal.name} does not have {wish.role or 'any'}; grant it first", field="role"
            )
        rights = rights_of(grants, await self._store.roles(), principal.tenant)
        permissions = frozenset[Permission]().union(*(right.permissions for right in rights))
        wanted = permissions if wish.permissions is None else wish.permissions
        if missing := sorted(wanted - permissions):
            raise InvalidInput(f"permissions: {principal.name} itself has no {missing[0]}", field="permissions")
        for pattern in wish.collections or ():
            if not any(contains(outer, pattern) for right in rights for outer in right.collections):
                raise InvalidInput(
                    f"collections: {pattern!r} is wider than what {principal.name} has", field="collections"
                )
        narrower = wish.permissions is not None or len(grants) < len(principal.grants)
        return Scope(permissions=wanted if narrower else None, collections=wish.collections)

    async def _successor(self, principal: Principal) -> tuple[StoredKey, str]:
        now = self._clock.now()
        old = next((key for key in await self._store.keys(principal.name) if key.lives(now)), None)
        if old is None:
            return self._make(principal.name, now)
        return self._make(principal.name, now, old.scope, old.addresses, old.expires_at)

    def _make(
        self,
        principal: str,
        now: datetime,
        scope: Scope = Scope(),  # noqa: B008 frozen
        addresses: tuple[str, ...] = (),
        expires_at: datetime | None = None,
    ) -> tuple[StoredKey, str]:
        key_id, text = make_key(self._key_environment)
        key = ApiKey(key_id, principal, now, expires_at, addresses, scope)
        return StoredKey(key, self._keyring.digest(text)), text

    async def _theirs(self, by: Pass, name: str) -> Principal:
        """The principal, when the caller has all that it has. PrincipalNotFound, PermissionDenied."""
        found = await self.principal(by, name)
        await self._require_within(by, found)
        return found

    async def _require_within(self, by: Pass, principal: Principal) -> None:
        _check_grants(principal.grants)
        roles: Mapping[str, Role] = await self._store.roles()
        rights = rights_of(principal.grants, roles, principal.tenant)
        _require_held(by, rights, principal.name, principal.tenant)


def _require_held(by: Pass, rights: list[Right] | tuple[Right, ...], of: str, tenant: str = "") -> None:
    """The rule: nobody gives, takes or acts for what it does not have itself."""
    missing = beyond(rights, by.caller.rights, tenant)
    if missing is not None:
        raise PermissionDenied(
            f"{of} has {missing}, which {by.caller.name} does not have; ask an administrator who has it",
            permission=missing.partition(" ")[0],
        )


def _check_grants(grants: tuple[Grant, ...]) -> None:
    if len(grants) > GRANTS_MAX or any(len(grant.collections) > GRANTS_MAX for grant in grants):
        raise InvalidInput(f"grants: at most {GRANTS_MAX}, with at most {GRANTS_MAX} patterns each", field="grants")
    for grant in grants:
        if not grant.collections or not all(0 < len(pattern) <= 140 for pattern in grant.collections):
            raise InvalidInput("grants: each names patterns of 1 to 140 characters; * is all", field="grants")


def _check_bounds(wish: KeyWish, now: datetime) -> None:
    if wish.expires_at is not None and (wish.expires_at.tzinfo is None or wish.expires_at <= now):
        raise InvalidInput("expires_at: a time to come, with its time zone", field="expires_at")
    if wish.collections is not None:
        _check_grants((Grant("", wish.collections),))
    for address in wish.addresses:
        try:
            ip_network(address)
        except ValueError:
            raise InvalidInput(
                f"addresses: {address[:50]!r} is no CIDR range such as 10.0.0.0/8", field="addresses"
            ) from None
