"""Keys, passwords and sessions in the control store."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.part import sliced, to_json
from vectis.adapters.sql.principals import SqlPrincipals, absent, key_columns, own_roles, principal_of
from vectis.adapters.sql.tables import access_state, api_keys, principals, sessions
from vectis.domain.errors import Conflict
from vectis.domain.ports.access import AccessStore, FoundCredentials, StoredKey
from vectis.domain.principals import ApiKey, Principal, Scope, Session, SigningKey


class SqlAccess(SqlPrincipals, AccessStore):
    """vectis.domain.ports.access.AccessStore."""

    async def add_key(self, key: StoredKey, *, live_max: int) -> None:
        """See the port."""
        now = key.key.created_at
        live = sa.select(sa.func.count()).where(
            api_keys.c.principal == key.key.principal,
            api_keys.c.revoked_at.is_(None),
            sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
        async with self._change(adds=True) as connection:
            await _require(connection, key.key.principal)
            if (await connection.scalar(live) or 0) >= live_max:
                raise Conflict(
                    f"{key.key.principal} has {live_max} live keys already; revoke one first",
                    principal=key.key.principal,
                    maximum=live_max,
                )
            await connection.execute(sa.insert(api_keys).values(key_columns(key)))

    async def replace_keys(self, key: StoredKey) -> None:
        """See the port."""
        old = sa.update(api_keys).where(api_keys.c.principal == key.key.principal, api_keys.c.revoked_at.is_(None))
        async with self._change(adds=True) as connection:
            await _require(connection, key.key.principal)
            await connection.execute(old.values(revoked_at=key.key.created_at))
            await connection.execute(sa.insert(api_keys).values(key_columns(key)))

    async def replace_all_credentials(self, keys: Sequence[StoredKey], signing_key: SigningKey, now: datetime) -> None:
        """See the port."""
        async with self._change() as connection:
            await connection.execute(sa.update(access_state).values(signing_keys=to_json([signing_key])))
            await connection.execute(sa.delete(sessions))
            await connection.execute(sa.update(api_keys).where(api_keys.c.revoked_at.is_(None)).values(revoked_at=now))
            if keys:
                await connection.execute(sa.insert(api_keys), [key_columns(key) for key in keys])

    async def keys(self, principal: str | None = None) -> list[ApiKey]:
        """See the port."""
        statement = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        if principal is not None:
            statement = statement.where(api_keys.c.principal == principal)
        async with self._database.read() as connection:
            return [_key(row) for row in await connection.execute(statement)]

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        """See the port."""
        statement = (
            sa.update(api_keys)
            .where(api_keys.c.id == key_id)
            .values(revoked_at=sa.func.coalesce(api_keys.c.revoked_at, now))
        )
        async with self._change() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def note_use(self, key_ids: Sequence[str], at: datetime) -> None:
        """See the port."""
        async with self._database.write() as connection:
            for some in sliced(sorted(key_ids)):
                await connection.execute(sa.update(api_keys).where(api_keys.c.id.in_(some)).values(last_used_at=at))

    async def find_credentials(self, key_ids: Sequence[str], session_ids: Sequence[str]) -> FoundCredentials:
        """See the port."""
        async with self._database.read() as connection:
            keys = {
                row.id: StoredKey(_key(row), row.digest)
                for some in sliced(key_ids)
                for row in await connection.execute(sa.select(api_keys).where(api_keys.c.id.in_(some)))
            }
            found = {
                row.id: _session(row)
                for some in sliced(session_ids)
                for row in await connection.execute(sa.select(sessions).where(sessions.c.id.in_(some)))
            }
            names = sorted({key.key.principal for key in keys.values()} | {s.principal for s in found.values()})
            holders: dict[str, Principal] = {
                row.name: principal_of(row)
                for some in sliced(names)
                for row in await connection.execute(sa.select(principals).where(principals.c.name.in_(some)))
            }
            return FoundCredentials(keys, found, holders, await own_roles(connection) if names else {})

    async def set_password(self, name: str, password_hash: str) -> None:
        """See the port."""
        async with self._change() as connection:
            await _require(connection, name)
            await connection.execute(
                sa.update(principals).where(principals.c.name == name).values(password_hash=password_hash)
            )
            await connection.execute(sa.delete(sessions).where(sessions.c.principal == name))

    async def password_hash(self, name: str) -> str | None:
        """See the port."""
        async with self._database.read() as connection:
            return await connection.scalar(sa.select(principals.c.password_hash).where(principals.c.name == name))

    async def add_session(self, session: Session) -> None:
        """See the port."""
        async with self._database.write(adds=True) as connection:
            await _require(connection, session.principal)
            await connection.execute(sa.delete(sessions).where(sessions.c.expires_at <= session.created_at))
            await connection.execute(sa.insert(sessions).values(msgspec.structs.asdict(session)))

    async def sessions(self, now: datetime, principal: str | None = None) -> list[Session]:
        """See the port."""
        statement = sa.select(sessions).where(sessions.c.expires_at > now)
        if principal is not None:
            statement = statement.where(sessions.c.principal == principal)
        statement = statement.order_by(sessions.c.created_at.desc(), sessions.c.id)
        async with self._database.read() as connection:
            return [_session(row) for row in await connection.execute(statement)]

    async def refresh_session(self, session_id: str, refreshes: int, now: datetime) -> Session | None:
        """See the port."""
        statement = (
            sa.update(sessions)
            .where(sessions.c.id == session_id, sessions.c.refreshes == refreshes, sessions.c.expires_at > now)
            .values(refreshes=refreshes + 1, refreshed_at=now)
            .returning(sessions)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).one_or_none()
            return None if row is None else _session(row)

    async def end_session(self, session_id: str) -> bool:
        """See the port."""
        async with self._change() as connection:
            return (await connection.execute(sa.delete(sessions).where(sessions.c.id == session_id))).rowcount > 0

    async def rotate_signing_key(self, key: SigningKey, now: datetime, retires_at: datetime) -> None:
        """See the port."""
        async with self._change() as connection:
            text = await connection.scalar(sa.select(access_state.c.signing_keys))
            kept = [
                msgspec.structs.replace(old, retires_at=old.retires_at or retires_at)
                for old in msgspec.json.decode(text or "[]", type=list[SigningKey])
                if old.retires_at is None or old.retires_at > now
            ]
            await connection.execute(sa.update(access_state).values(signing_keys=to_json([key, *kept])))


async def _require(connection: AsyncConnection, name: str) -> None:
    if await connection.scalar(sa.select(principals.c.name).where(principals.c.name == name)) is None:
        raise absent(name)


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        id=row.id,
        principal=row.principal,
        created_at=row.created_at,
        expires_at=row.expires_at,
        addresses=msgspec.json.decode(row.addresses, type=tuple[str, ...]),
        scope=msgspec.json.decode(row.scope, type=Scope),
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _session(row: sa.Row[tuple[object, ...]]) -> Session:
    return Session(
        id=row.id,
        principal=row.principal,
        created_at=row.created_at,
        expires_at=row.expires_at,
        refreshes=row.refreshes,
        refreshed_at=row.refreshed_at,
    )
