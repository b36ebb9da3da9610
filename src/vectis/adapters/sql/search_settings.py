"""Versions of the search settings of collections in the control store."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from vectis.adapters.sql.part import StorePart, to_json
from vectis.adapters.sql.tables import collections, search_settings
from vectis.domain.collections import Collection, Reconfigured, SettingsVersion, settings_at_creation
from vectis.domain.errors import CollectionNotFound, Conflict
from vectis.domain.ports.control import SearchSettingsStore
from vectis.domain.profiles import CollectionProfile, SearchSettings


class SqlSearchSettings(StorePart, SearchSettingsStore):
    """vectis.domain.ports.control.SearchSettingsStore."""

    async def set_search(
        self,
        collection: str,
        settings: SearchSettings,
        *,
        by: str,
        description: str,
        now: datetime,
        read_version: int | None = None,
    ) -> Reconfigured:
        """See the port."""
        async with self._database.write() as connection:
            found = await _read(connection, collection, lock=True)
            before = await _newest(connection, found)
            if read_version is not None and read_version != before.number:
                raise Conflict(
                    f"the search settings of {collection!r} have changed meanwhile: they are at version {before.number}, "
                    f"not {read_version}; read them again",
                    collection=collection,
                    version=before.number,
                )
            if settings == before.settings:
                return Reconfigured(before, before)
            after = SettingsVersion(before.number + 1, now, by, description, settings)
            if before.number == 1:
                await _keep(connection, collection, before)
            await _keep(connection, collection, after)
            profile = msgspec.structs.replace(found.profile, search=settings)
            statement = sa.update(collections).where(collections.c.name == collection)
            await connection.execute(statement.values(profile=to_json(profile)))
            return Reconfigured(before, after)

    async def search_versions(self, collection: str) -> list[SettingsVersion]:
        """See the port."""
        statement = sa.select(search_settings).where(search_settings.c.collection == collection)
        async with self._database.read() as connection:
            found = await _read(connection, collection)
            rows = await connection.execute(statement.order_by(search_settings.c.number.desc()))
            return [_version(row) for row in rows] or [settings_at_creation(found)]


async def _read(connection: AsyncConnection, name: str, *, lock: bool = False) -> Collection:
    statement = sa.select(collections).where(collections.c.name == name, collections.c.deletion.is_(None))
    if lock:
        statement = statement.with_for_update()
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise CollectionNotFound(f"there is no collection {name!r}", collection=name)
    return Collection(name, msgspec.json.decode(row.profile, type=CollectionProfile), row.created_at)


async def _newest(connection: AsyncConnection, collection: Collection) -> SettingsVersion:
    statement = sa.select(search_settings).where(search_settings.c.collection == collection.name)
    row = (await connection.execute(statement.order_by(search_settings.c.number.desc()).limit(1))).one_or_none()
    return settings_at_creation(collection) if row is None else _version(row)


async def _keep(connection: AsyncConnection, collection: str, version: SettingsVersion) -> None:
    await connection.execute(
        sa.insert(search_settings).values(
            collection=collection,
            number=version.number,
            at=version.at,
            author=version.author,
            description=version.description,
            settings=to_json(version.settings),
        )
    )


def _version(row: sa.Row[tuple[object, ...]]) -> SettingsVersion:
    settings = msgspec.json.decode(row.settings, type=SearchSettings)
    return SettingsVersion(row.number, row.at, row.author, row.description, settings)
