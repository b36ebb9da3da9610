"""Principals and own roles in the control store, and the version that every change of access makes greater."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import access_state, api_keys, principals, roles, sessions
from vectis.domain.access import Permission
from vectis.domain.errors import Conflict, PrincipalNotFound, RoleNotFound
from vectis.domain.ports.access import PrincipalChange, StoredKey
from vectis.domain.principals import (
    BUILT_IN_ROLES,
    AccessState,
    Grant,
    Principal,
    PrincipalKind,
    PrincipalStatus,
    Role,
    SigningKey,
    is_admin,
)

_STATE = 1


class SqlPrincipals(StorePart):
    """vectis.domain.ports.access.PrincipalStore."""

    async def access_state(self) -> AccessState | None:
        """See the port."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(access_state))).one_or_none()
            if row is None:
                return None
            return AccessState(row.version, msgspec.json.decode(row.signing_keys, type=tuple[SigningKey, ...]))

    async def begin_access(self, principal: Principal, key: StoredKey, signing_key: SigningKey) -> None:
        """See the port."""
        statement = self._insert(access_state).values(id=_STATE, version=1, signing_keys=to_json([signing_key]))
        async with self._database.write(adds=True) as connection:
            statement = statement.on_conflict_do_nothing(index_elements=[access_state.c.id])
            if await connection.scalar(statement.returning(access_state.c.id)) is None:
                raise Conflict("access control is on already; `vectis keys rotate admin` makes the admin another key")
            await connection.execute(sa.insert(principals).values(_columns(principal)))
            await connection.execute(sa.insert(api_keys).values(key_columns(key)))

    async def principals(self) -> list[Principal]:
        """See the port."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(principals).order_by(principals.c.name))
            return [principal_of(row) for row in rows]

    async def principal(self, name: str) -> Principal | None:
        """See the port."""
        async with self._database.read() as connection:
            return await _principal(connection, name)

    async def add_principal(self, principal: Principal) -> None:
        """See the port."""
        async with self._change(adds=True) as connection:
            await _require_roles(connection, principal.grants)
            statement = self._insert(principals).values(_columns(principal))
            statement = statement.on_conflict_do_nothing(index_elements=[principals.c.name])
            if await connection.scalar(statement.returning(principals.c.name)) is None:
                raise Conflict(f"there is a principal {principal.name!r} already", principal=principal.name)

    async def change_principal(self, name: str, change: PrincipalChange) -> Principal:
        """See the port."""
        columns: dict[str, object] = {}
        if change.grants is not None:
            columns["grants"] = to_json(change.grants)
        if change.status is not None:
            columns["status"] = change.status.value
        if change.contact is not None:
            columns["contact"] = change.contact
        async with self._change() as connection:
            if change.grants is not None:
                await _require_roles(connection, change.grants)
            if columns:
                await connection.execute(sa.update(principals).where(principals.c.name == name).values(columns))
            if change.status is PrincipalStatus.DISABLED:
                await connection.execute(sa.delete(sessions).where(sessions.c.principal == name))
            changed = await _principal(connection, name)
            if changed is None:
                raise absent(name)
            await _keep_an_admin(connection)
            return changed

    async def remove_principal(self, name: str) -> bool:
        """See the port."""
        async with self._change() as connection:
            result = await connection.execute(sa.delete(principals).where(principals.c.name == name))
            await _keep_an_admin(connection)
            return result.rowcount > 0

    async def roles(self) -> dict[str, Role]:
        """See the port."""
        async with self._database.read() as connection:
            return await own_roles(connection)

    async def put_role(self, role: Role) -> None:
        """See the port."""
        statement = self._insert(roles).values(name=role.name, permissions=to_json(sorted(role.permissions)))
        statement = statement.on_conflict_do_update(
            index_elements=[roles.c.name], set_={"permissions": statement.excluded.permissions}
        )
        async with self._change(adds=True) as connection:
            await connection.execute(statement)
            await _keep_an_admin(connection)

    async def remove_role(self, name: str) -> bool:
        """See the port."""
        async with self._change() as connection:
            rows = await connection.execute(sa.select(principals.c.name, principals.c.grants))
            holders = sorted(row.name for row in rows if name in {grant.role for grant in _grants(row.grants)})
            if holders:
                raise Conflict(
                    f"the role {name!r} is granted to {', '.join(holders[:5])}; take it from them first", role=name
                )
            return (await connection.execute(sa.delete(roles).where(roles.c.name == name))).rowcount > 0

    @asynccontextmanager
    async def _change(self, *, adds: bool = False) -> AsyncGenerator[AsyncConnection]:
        """A transaction that makes the version one greater. It holds the state's row, so changes come one by one."""
        async with self._database.write(adds=adds) as connection:
            result = await connection.execute(sa.update(access_state).values(version=access_state.c.version + 1))
            if result.rowcount == 0:
                raise Conflict("access control is off: `vectis init` turns it on and makes the admin")
            yield connection


async def own_roles(connection: AsyncConnection) -> dict[str, Role]:
    """The own roles by name."""
    return {
        row.name: Role(row.name, frozenset(msgspec.json.decode(row.permissions, type=tuple[Permission, ...])))
        for row in await connection.execute(sa.select(roles))
    }


def principal_of(row: sa.Row[tuple[object, ...]]) -> Principal:
    """A row of the table as a principal."""
    return Principal(
        name=row.name,
        kind=PrincipalKind(row.kind),
        created_at=row.created_at,
        grants=_grants(row.grants),
        tenant=row.tenant,
        status=PrincipalStatus(row.status),
        contact=row.contact,
    )


def key_columns(stored: StoredKey) -> dict[str, Any]:
    """A key as its row."""
    key = stored.key
    return {
        "id": key.id,
        "principal": key.principal,
        "digest": stored.digest,
        "addresses": to_json(key.addresses),
        "scope": to_json(key.scope),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    }


def absent(name: str) -> PrincipalNotFound:
    """The error for a principal that is not there."""
    return PrincipalNotFound(f"there is no principal {name[:80]!r}", principal=name[:80])


async def _principal(connection: AsyncConnection, name: str) -> Principal | None:
    row = (await connection.execute(sa.select(principals).where(principals.c.name == name))).one_or_none()
    return None if row is None else principal_of(row)


async def _require_roles(connection: AsyncConnection, grants: Iterable[Grant]) -> None:
    wanted = {grant.role for grant in grants} - BUILT_IN_ROLES.keys()
    missing = sorted(wanted - (await own_roles(connection)).keys()) if wanted else []
    if missing:
        raise RoleNotFound(f"there is no role {missing[0][:80]!r}", role=missing[0][:80])


async def _keep_an_admin(connection: AsyncConnection) -> None:
    """Undo, by raising, what would leave nobody who may manage users."""
    own: Mapping[str, Role] = await own_roles(connection)
    active = sa.select(principals).where(principals.c.status == PrincipalStatus.ACTIVE.value, principals.c.tenant == "")
    if not any(is_admin(principal_of(row), own) for row in await connection.execute(active)):
        raise Conflict("this would leave no active principal that may manage users; give another one a role that may")


def _grants(text: str) -> tuple[Grant, ...]:
    return msgspec.json.decode(text, type=tuple[Grant, ...])


def _columns(principal: Principal) -> dict[str, Any]:
    return {
        "name": principal.name,
        "kind": principal.kind.value,
        "grants": to_json(principal.grants),
        "tenant": principal.tenant,
        "status": principal.status.value,
        "contact": principal.contact,
        "created_at": principal.created_at,
    }
