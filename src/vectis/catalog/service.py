"""The use cases of the catalog: create, list, describe and delete collections; set aliases; index payload keys."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from vectis.catalog.profiles import INDEXES_MAX, Recipes, Wishes
from vectis.catalog.removals import REMOVAL_TIME, NeededBy, Removals
from vectis.catalog.standstill import RolloutAtWork, nobody_at_work, refuse_during_rollout
from vectis.domain.access import CollectionPass, Pass, Permission, tenant_of
from vectis.domain.collections import Collection, Deletion, Reconfigured, SettingsVersion
from vectis.domain.errors import (
    CollectionExists,
    CollectionNotFound,
    Conflict,
    InvalidInput,
    LimitExceeded,
    NotFound,
    VectisError,
)
from vectis.domain.jobs import MAINTENANCE_QUEUE, Job, JobState
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import CollectionStore, Divergence, DivergenceStore, JobLedger, SearchSettingsStore
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.engine import CollectionAdmin
from vectis.domain.ports.jobs import JobQueue
from vectis.domain.profiles import CollectionProfile, SearchSettings, check_search
from vectis.domain.rollouts import CandidateBuild
from vectis.domain.routes import Route, RoutePlan, Target
from vectis.domain.schema import CollectionState, PayloadIndexKind, check_name

OPTIMIZE = "optimize"
"""The job kind that builds what is unindexed. Payload: {"collection": name}."""

COLLECTIONS_MAX = 1000
DESCRIPTION_MAX = 1000

REMOVE_COLLECTION = "remove_collection"
"""The job kind that removes a deleted collection for good. Payload: {"collection": name}."""


class CatalogStore(CollectionStore, SearchSettingsStore, DivergenceStore, JobLedger, Protocol):
    """The parts of the control store that the catalog keeps."""


class Described(msgspec.Struct, frozen=True):
    """A collection with its state in the engine, the aliases that lead to it, and what it missed while it should follow."""

    collection: Collection
    state: CollectionState
    aliases: tuple[str, ...]
    missed: Divergence | None = None


class CatalogService:
    """Keeps the control store and the engine in step: the store remembers first, the engine holds the data."""

    def __init__(
        self,
        *,
        store: CatalogStore,
        queue: JobQueue,
        admin: CollectionAdmin,
        directory: Directory,
        recipes: Recipes,
        clock: Clock,
        grace_minutes: float = 60.0,
        keepers: Sequence[NeededBy] = (),
        at_work_on: RolloutAtWork = nobody_at_work,
    ) -> None:
        self._store = store
        self._queue = queue
        self._admin = admin
        self._directory = directory
        self._recipes = recipes
        self._clock = clock
        self._grace_minutes = grace_minutes
        self._at_work_on = at_work_on
        self._removals = Removals(store=store, admin=admin, clock=clock, keepers=keepers)

    def profiles(self, by: Pass) -> list[CollectionProfile]:
        """The named recipes that a collection can be created from."""
        by.require(Permission.READ_COLLECTIONS)
        return self._recipes.named()

    async def create(self, by: CollectionPass, profile: str, wishes: Wishes) -> Described:
        """Create a collection; on return it survives a kill.

        The store decides who owns the name; a kill before the engine followed is mended by `reconcile`.
        Raises InvalidName, InvalidInput, LimitExceeded, CollectionExists, NotFound for the profile; EmbedderUnavailable when
        another embedding is wished and there is none.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        check_name(by.collection)
        await self._create(by.collection, self._recipes.of(profile, wishes))
        return await self._described(by)

    async def cloned(self, source: CollectionPass, build: CandidateBuild) -> CollectionProfile:
        """The profile of a collection like another but for `build`. Raises CollectionNotFound, InvalidInput, LimitExceeded."""
        source.require(Permission.WRITE_COLLECTIONS)
        described = await self._described(source)
        profile = described.collection.profile
        if profile.embedding is None and build.chunking is not None:
            raise InvalidInput("build.chunking: the collection takes no documents that are cut", field="build.chunking")
        schema = replace(profile.schema, payload_indexes=described.state.payload_indexes)
        wishes = Wishes(**{name: getattr(build, name) for name in build.__struct_fields__})
        return self._recipes.tailored(replace(profile, schema=schema), wishes)

    async def clone(self, by: CollectionPass, source: CollectionPass, build: CandidateBuild) -> Described:
        """Create an empty collection like another but for `build`. Raises as `cloned` and `create` do."""
        by.require(Permission.WRITE_COLLECTIONS)
        check_name(by.collection)
        await self._create(by.collection, await self.cloned(source, build))
        return await self._described(by)

    async def _create(self, name: str, profile: CollectionProfile) -> None:
        collection = Collection(name=name, profile=profile, created_at=self._clock.now())
        if len(await self._store.collections()) >= COLLECTIONS_MAX:
            raise LimitExceeded(f"there are {COLLECTIONS_MAX} collections, the maximum; delete one first")
        await self._removals.free(name)
        await self._store.add_collection(collection)
        try:
            await self._create_in_engine(collection)
        except VectisError:
            await self._store.remove_collection(name)
            raise
        self._directory.forget()

    async def describe(self, by: CollectionPass) -> Described:
        """A collection, or the one behind an alias with a single target. Raises CollectionNotFound."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._described(by)

    async def collections(self, by: Pass, *, deleted: bool = False) -> list[Described]:
        """Those that the caller sees, by name, or only the deleted ones; one that the engine has lost is left out."""
        by.require(Permission.READ_COLLECTIONS)
        found: list[Described] = []
        routes = await self._seen_routes(by)
        store = self._store
        for collection in await (store.deleted_collections() if deleted else store.collections()):
            if not by.sees(collection.name):
                continue
            try:
                state = await self._admin.describe(collection.name)
            except CollectionNotFound:
                continue
            found.append(Described(collection=collection, state=state, aliases=_aliases_of(collection.name, routes)))
        return found

    async def delete(self, by: CollectionPass, *, grace_minutes: float | None = None) -> Deletion:
        """Hide a collection at once, and remove it with its documents when the grace is over; 0: before this returns.

        Raises CollectionNotFound, or Conflict while an alias or somebody else needs it.
        """
        by.require(Permission.DELETE_COLLECTIONS)
        name, now = by.collection, self._clock.now()
        await self._removals.require_unneeded(name)
        minutes = self._grace_minutes if grace_minutes is None else grace_minutes
        due_at = now + timedelta(minutes=minutes)
        # what is removed here and now is left to the job only when this process dies over it
        job_due_at = due_at if minutes else now + REMOVAL_TIME
        job = Job(
            id=uuid4().hex,
            kind=REMOVE_COLLECTION,
            state=JobState.PENDING,
            payload={"collection": name},
            created_at=now,
            due_at=job_due_at,
        )
        deletion = Deletion(now, due_at, job.id)
        await self._store.hide_collection(name, deletion, job)
        self._directory.forget()
        if not minutes:
            await self._removals.now(name, deletion)
        return deletion

    async def undelete(self, by: CollectionPass) -> Described:
        """Take a deletion back: the collection is as it was. Raises CollectionNotFound when there is nothing to take back."""
        by.require(Permission.DELETE_COLLECTIONS)
        name, now = by.collection, self._clock.now()
        deletion = await self._store.show_collection(name, now)
        if deletion is None:
            raise CollectionNotFound(f"no deleted collection is called {name[:140]!r}", name=name[:140])
        await self._store.cancel_job(deletion.job_id, now)
        self._directory.forget()
        return await self._described(by)

    async def remove(self, by: CollectionPass, job_id: str) -> bool:
        """Remove for good what is deleted and waits for this job; False when its deletion was taken back or done.

        Raises Conflict when it is needed again after all; Unavailable while another process removes it.
        """
        by.require(Permission.DELETE_COLLECTIONS)
        kept = await self._store.collection(by.collection)
        if kept is None or kept.deletion is None or kept.deletion.job_id != job_id:
            return False
        await self._removals.require_unneeded(kept.name)
        await self._removals.remove(kept.name, kept.deletion)
        return True

    async def configure(
        self, by: CollectionPass, settings: SearchSettings, description: str = "", *, read_version: int | None = None
    ) -> Reconfigured:
        """Search the collection with other settings from the next query on, in every process; the former ones are kept.

        Raises InvalidInput, LimitExceeded, CollectionNotFound; Conflict when the version in force is not `read_version`, and
        while a rollout compares the collection with another one.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        check_search(settings, at="search")
        if len(description) > DESCRIPTION_MAX:
            raise LimitExceeded(
                f"description: {len(description)} characters, the maximum is {DESCRIPTION_MAX}", field="description"
            )
        name = (await self._directory.resolve_one(by.collection)).name
        await refuse_during_rollout(self._at_work_on, name, f"the search settings of {name!r} stay as they are")
        changed = await self._store.set_search(
            name, settings, by=by.caller.name, description=description, now=self._clock.now(), read_version=read_version
        )
        self._directory.forget()
        return changed

    async def roll_settings_back(self, by: CollectionPass, number: int | None = None) -> Reconfigured:
        """Search with the settings of an earlier version again, as a version of its own; None: the last that were others.

        Raises NotFound, CollectionNotFound, Conflict when they are changed at the same moment.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        versions = await self._versions(by)
        active = versions[0]
        earlier = [v for v in versions if (v.settings != active.settings if number is None else v.number == number)]
        if not earlier:
            raise NotFound(
                "version: there are no such search settings to go back to; `vectis collections history` lists them",
                field="version",
            )
        to = earlier[0]
        return await self.configure(by, to.settings, f"back to version {to.number}", read_version=active.number)

    async def settings_history(self, by: CollectionPass) -> list[SettingsVersion]:
        """Every version of the search settings, newest first, which is the one in force. Raises CollectionNotFound, Conflict."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._versions(by)

    async def _versions(self, by: CollectionPass) -> list[SettingsVersion]:
        return await self._store.search_versions((await self._directory.resolve_one(by.collection)).name)

    async def optimize(self, by: CollectionPass) -> bool:
        """Build what is unindexed; True when something was built. Raises CollectionNotFound, Conflict."""
        by.require(Permission.WRITE_COLLECTIONS)
        return await self._admin.optimize((await self._directory.resolve_one(by.collection)).name)

    async def optimize_later(self, by: CollectionPass) -> str:
        """The id of the job that builds what is unindexed: the one that waits already, or a fresh one.

        Raises CollectionNotFound, Conflict.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        name = (await self._directory.resolve_one(by.collection)).name
        job = Job(
            id=uuid4().hex,
            kind=OPTIMIZE,
            state=JobState.PENDING,
            payload={"collection": name},
            created_at=self._clock.now(),
            queue=MAINTENANCE_QUEUE,
            key=f"{OPTIMIZE}:{name}",
        )
        return await self._queue.submit(job)

    async def create_index(self, by: CollectionPass, key: str, kind: PayloadIndexKind) -> None:
        """Index a payload key. Idempotent. Raises CollectionNotFound, Conflict, InvalidInput, LimitExceeded."""
        by.require(Permission.WRITE_COLLECTIONS)
        if not key.strip() or len(key) > 256:
            raise InvalidInput("key: name a payload key of 1 to 256 characters", field="key")
        collection = await self._directory.resolve_one(by.collection)
        state = await self._admin.describe(collection.name)
        if key not in state.payload_indexes and len(state.payload_indexes) >= INDEXES_MAX:
            raise LimitExceeded(
                f"{collection.name} has {INDEXES_MAX} payload indexes, the maximum", maximum=INDEXES_MAX
            )
        await self._admin.create_payload_index(collection.name, key, kind)

    async def reconcile(self, by: Pass) -> None:
        """Bring the engine to what the store says: create what is missing, drop what nobody owns, set its aliases."""
        by.require(Permission.SYSTEM_CONFIG)
        held = set(await self._admin.names())
        owned = {collection.name: collection for collection in await self._store.collections()}
        for name in sorted(owned.keys() - held):
            await self._create_in_engine(owned[name])
        for name in sorted(held - owned.keys()):
            if await self._store.collection(name) is None:
                await self._admin.drop(name)
        await self._aliases_changed()

    async def aliases(self, by: Pass) -> list[Route]:
        """The aliases that the caller sees, by name."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._seen_routes(by)

    async def set_alias(self, by: CollectionPass, to: CollectionPass) -> Route:
        """Point the alias that `by` is for at the collection that `to` is for, in one atomic change.

        Both are of one tenant. Raises InvalidName, InvalidInput, CollectionNotFound, CollectionExists; Conflict while a rollout
        needs the alias.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        to.require(Permission.WRITE_COLLECTIONS)
        check_name(by.collection, what="alias")
        if tenant_of(by.collection) != tenant_of(to.collection):
            raise InvalidInput(
                f"collection: alias {by.collection!r} and collection {to.collection[:140]!r} are not of one tenant; "
                "an alias stays within its tenant",
                field="collection",
            )
        await self._require_not_rolled(by.collection)
        await self._removals.free(by.collection)
        route = await self._store.set_route(by.collection, RoutePlan((Target(collection=to.collection),)))
        await self._aliases_changed()
        return route

    async def set_plan(self, by: CollectionPass, plan: RoutePlan, *, read_version: int) -> None:
        """Let an alias resolve as planned. Raises Conflict when it changed since `read_version`; CollectionNotFound."""
        by.require(Permission.WRITE_COLLECTIONS)
        await self._store.set_route(by.collection, plan, read_version=read_version)
        await self._aliases_changed()

    async def delete_alias(self, by: CollectionPass) -> None:
        """Remove an alias; the collection stays. Raises NotFound; Conflict while a rollout needs it."""
        by.require(Permission.WRITE_COLLECTIONS)
        await self._require_not_rolled(by.collection)
        if not await self._store.remove_route(by.collection):
            raise NotFound(f"no alias is called {by.collection[:140]!r}", name=by.collection[:140])
        await self._aliases_changed()

    async def _require_not_rolled(self, alias: str) -> None:
        """Conflict while a rollout needs an alias; one that begins at the same moment puts its own plan back."""
        await refuse_during_rollout(self._at_work_on, alias, f"alias {alias!r} stays as it is")
        route = (await self._store.routes()).get(alias)
        if route is not None and route.plan.under_rollout:
            raise Conflict(
                f"alias {alias!r} stays as it is until the grace of its rollout is over, so that it can be undone "
                f"(`vectis rollout list --alias {alias}` shows it); another rollout can change what it serves",
                alias=alias,
            )

    async def _described(self, by: CollectionPass) -> Described:
        collection = (await self._directory.resolve(by.collection)).collection
        return Described(
            collection=collection,
            state=await self._admin.describe(collection.name),
            aliases=_aliases_of(collection.name, await self._seen_routes(by)),
            missed=await self._store.divergence(collection.name),
        )

    async def _seen_routes(self, by: Pass) -> list[Route]:
        return [route for route in (await self._store.routes()).routes() if by.sees(route.alias)]

    async def _aliases_changed(self) -> None:
        """The store decides; the engine's own aliases follow it."""
        self._directory.forget()
        routes = (await self._store.routes()).routes()
        await self._admin.apply_aliases({route.alias: route.targets[0].collection for route in routes})

    async def _create_in_engine(self, collection: Collection) -> None:
        with suppress(CollectionExists):  # reconcile came first
            await self._admin.create(collection.name, collection.profile.schema)


def _aliases_of(collection: str, routes: Iterable[Route]) -> tuple[str, ...]:
    return tuple(route.alias for route in routes if collection in route.plan.collections)
