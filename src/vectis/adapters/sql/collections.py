"""Collections and routes in the control store."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.jobs import SqlJobs
from vectis.adapters.sql.part import to_json
from vectis.adapters.sql.tables import collections, routes
from vectis.domain.collections import Bm25Fit, Collection, Deletion
from vectis.domain.errors import CollectionExists, CollectionNotFound, Conflict
from vectis.domain.jobs import Job
from vectis.domain.profiles import CollectionProfile
from vectis.domain.routes import Mirror, Route, RoutePlan, RouteTable, Target

_NAMES_LOCK = 0x7EC7_0001
"""The advisory lock under which PostgreSQL serves one change of names at a time, as SQLite does anyway."""


class SqlCollections(SqlJobs):
    """vectis.domain.ports.control.CollectionStore."""

    async def add_collection(self, collection: Collection) -> None:
        """See the port."""
        async with self._database.write(adds=True) as connection:
            await self._lock_names(connection)
            taken = await _is_collection(connection, collection.name) or await _is_alias(connection, collection.name)
            if taken:
                raise CollectionExists(
                    f"a collection or alias {collection.name!r} exists already", collection=collection.name
                )
            await connection.execute(
                sa.insert(collections).values(
                    name=collection.name,
                    profile=to_json(collection.profile),
                    bm25=None if collection.bm25 is None else to_json(collection.bm25),
                    created_at=collection.created_at,
                    revision=0,
                )
            )

    async def remove_collection(self, name: str) -> bool:
        """See the port."""
        async with self._database.write() as connection:
            await self._lock_names(connection)
            result = await connection.execute(sa.delete(collections).where(collections.c.name == name))
            return result.rowcount > 0

    async def collection(self, name: str) -> Collection | None:
        """See the port."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(collections).where(collections.c.name == name))).one_or_none()
            return None if row is None else _collection(row)

    async def collections(self) -> list[Collection]:
        """See the port."""
        async with self._database.read() as connection:
            return await _collections(connection, collections.c.deletion.is_(None))

    async def deleted_collections(self) -> list[Collection]:
        """See the port."""
        async with self._database.read() as connection:
            return await _collections(connection, collections.c.deletion.is_not(None))

    async def hide_collection(self, name: str, deletion: Deletion, job: Job) -> None:
        """See the port."""
        async with self._database.write() as connection:
            await self._lock_names(connection)
            rows = await connection.execute(sa.select(routes).where(routes.c.targets.is_not(None)))
            for route in map(_route, rows):
                if name in route.plan.collections:
                    raise Conflict(
                        f"alias {route.alias!r} needs {name}: point it elsewhere or delete it first",
                        name=name,
                        alias=route.alias,
                    )
            shown = sa.update(collections).where(_named(name), collections.c.deletion.is_(None))
            if (await connection.execute(shown.values(deletion=to_json(deletion)))).rowcount == 0:
                raise _absent(name)
            await self._record(connection, job)

    async def show_collection(self, name: str, now: datetime) -> Deletion | None:
        """See the port."""
        async with self._database.write() as connection:
            await self._lock_names(connection)
            row = (await connection.execute(sa.select(collections).where(_named(name), _at_rest(now)))).one_or_none()
            found = None if row is None else _collection(row).deletion
            await connection.execute(sa.update(collections).where(_named(name), _at_rest(now)).values(deletion=None))
            return found

    async def take_removal(self, name: str, job_id: str, *, now: datetime, until: datetime) -> bool:
        """See the port."""
        async with self._database.write() as connection:
            await self._lock_names(connection)
            row = (await connection.execute(sa.select(collections).where(_named(name), _at_rest(now)))).one_or_none()
            deletion = None if row is None else _collection(row).deletion
            if deletion is None or deletion.job_id != job_id:
                return False
            await connection.execute(sa.update(collections).where(_named(name)).values(removing_until=until))
            return True

    async def set_bm25(self, name: str, fit: Bm25Fit) -> None:
        """See the port."""
        statement = sa.update(collections).where(collections.c.name == name).values(bm25=to_json(fit))
        async with self._database.write() as connection:
            if (await connection.execute(statement)).rowcount == 0:
                raise _absent(name)

    async def routes(self) -> RouteTable:
        """See the port."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(routes).where(routes.c.targets.is_not(None)))
            return RouteTable(tuple(_route(row) for row in rows))

    async def set_route(self, alias: str, plan: RoutePlan, *, read_version: int | None = None) -> Route:
        """See the port."""
        columns = _columns(plan)
        statement = self._insert(routes).values(alias=alias, version=1, **columns)
        changed = {name: statement.excluded[name] for name in columns} | {"version": routes.c.version + 1}
        statement = statement.on_conflict_do_update(index_elements=[routes.c.alias], set_=changed).returning(routes)
        async with self._database.write() as connection:
            await self._lock_names(connection)
            if await _is_collection(connection, alias):
                raise CollectionExists(f"{alias!r} is a collection: give the alias another name", collection=alias)
            if read_version is not None:
                await _require_version(connection, alias, read_version)
            for name in sorted(plan.collections):
                if not await _collections(connection, sa.and_(_named(name), collections.c.deletion.is_(None))):
                    raise _absent(name)
            return _route((await connection.execute(statement)).one())

    async def remove_route(self, alias: str) -> bool:
        """See the port."""
        statement = (
            sa.update(routes)
            .where(routes.c.alias == alias, routes.c.targets.is_not(None))
            .values(targets=None, version=routes.c.version + 1)
        )
        async with self._database.write() as connection:
            await self._lock_names(connection)
            return (await connection.execute(statement)).rowcount > 0

    async def _lock_names(self, connection: AsyncConnection) -> None:
        if not self._database.sqlite:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_NAMES_LOCK)))


def _named(name: str) -> sa.ColumnElement[bool]:
    return collections.c.name == name


def _at_rest(now: datetime) -> sa.ColumnElement[bool]:
    """Deleted, and nobody is removing it."""
    nobody = sa.or_(collections.c.removing_until.is_(None), collections.c.removing_until <= now)
    return sa.and_(collections.c.deletion.is_not(None), nobody)


async def _collections(connection: AsyncConnection, wanted: sa.ColumnElement[bool]) -> list[Collection]:
    rows = await connection.execute(sa.select(collections).where(wanted).order_by(collections.c.name))
    return [_collection(row) for row in rows]


async def _is_collection(connection: AsyncConnection, name: str) -> bool:
    found = await connection.scalar(sa.select(collections.c.name).where(collections.c.name == name))
    return found is not None


async def _is_alias(connection: AsyncConnection, name: str) -> bool:
    statement = sa.select(routes.c.alias).where(routes.c.alias == name, routes.c.targets.is_not(None))
    return await connection.scalar(statement) is not None


async def _require_version(connection: AsyncConnection, alias: str, version: int) -> None:
    statement = sa.select(routes.c.version).where(routes.c.alias == alias, routes.c.targets.is_not(None))
    found = await connection.scalar(statement) or 0
    if found != version:
        raise Conflict(
            f"alias {alias!r} has changed meanwhile: it is at version {found}, not {version}; read it again",
            alias=alias,
            version=found,
        )


def _absent(name: str) -> CollectionNotFound:
    return CollectionNotFound(f"there is no collection {name!r}", collection=name)


def _collection(row: sa.Row[tuple[object, ...]]) -> Collection:
    return Collection(
        name=row.name,
        profile=msgspec.json.decode(row.profile, type=CollectionProfile),
        created_at=row.created_at,
        bm25=None if row.bm25 is None else msgspec.json.decode(row.bm25, type=Bm25Fit),
        deletion=None if row.deletion is None else msgspec.json.decode(row.deletion, type=Deletion),
    )


def _route(row: sa.Row[tuple[object, ...]]) -> Route:
    plan = RoutePlan(
        targets=msgspec.json.decode(row.targets, type=tuple[Target, ...]),
        salt=row.salt,
        followers=msgspec.json.decode(row.followers, type=tuple[str, ...]),
        mirror=None if row.mirror is None else msgspec.json.decode(row.mirror, type=Mirror),
        interleave_percent=row.interleave_percent,
    )
    return Route(row.alias, plan, row.version)


def _columns(plan: RoutePlan) -> dict[str, str | float | None]:
    return {
        "targets": to_json(plan.targets),
        "salt": plan.salt,
        "followers": to_json(plan.followers),
        "mirror": None if plan.mirror is None else to_json(plan.mirror),
        "interleave_percent": plan.interleave_percent,
    }
