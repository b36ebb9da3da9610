"""The use cases of rollouts: start, look, and what people do to one. Moving it on is the reconciler's."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from vectis.domain.access import CollectionPass, Pass, Permission, tenant_of
from vectis.domain.embedders import Embedders
from vectis.domain.errors import CollectionNotFound, Conflict, InvalidInput, LimitExceeded, NotFound, RolloutNotFound
from vectis.domain.judgements import Judgement
from vectis.domain.ports.clock import Clock
from vectis.domain.profiles import CollectionProfile
from vectis.domain.rollouts import SETTLED, Rollout, RolloutSpec, Transition
from vectis.domain.routes import Route
from vectis.domain.schema import check_name
from vectis.rollouts.building import is_there
from vectis.rollouts.estimating import Estimate, Estimator, in_total
from vectis.rollouts.pictures import Onlooker, PictureParts, RolloutPicture
from vectis.rollouts.proposals import Proposal, accepted
from vectis.rollouts.specs import QUERIES_MAX, check_spec, warnings_of
from vectis.rollouts.surroundings import CollectionKeeping, RolloutParts
from vectis.rollouts.verbs import Verb, apply_verb

LIST_MAX = 1000
_LOOK_S = 1.0
_QUIET_S = 15.0


class RolloutDesk(RolloutParts, PictureParts, Protocol):
    """The parts of the control store that rollouts are steered and looked at by."""


class ExplainedRollout(msgspec.Struct, frozen=True):
    """A rollout with its history and what was judged, by generation and variant."""

    rollout: Rollout
    transitions: list[Transition]
    judgements: dict[int, dict[str, Judgement]]


class AliasStanding(msgspec.Struct, frozen=True):
    """What an alias resolves to now, and its newest rollout, if there was one."""

    route: Route
    rollout: Rollout | None


class SteeredRollout(msgspec.Struct, frozen=True):
    """A rollout as it was before somebody did something to it, and as it is now."""

    before: Rollout
    after: Rollout


class RolloutService:
    """Rollouts for callers. Who may write an alias may change what it serves; who may read it may look."""

    def __init__(
        self,
        *,
        store: RolloutDesk,
        collections: CollectionKeeping,
        embedders: Embedders,
        estimator: Estimator,
        clock: Clock,
        hook_urls: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._collections = collections
        self._embedders = embedders
        self._estimator = estimator
        self._clock = clock
        self._hook_urls = frozenset(hook_urls)

    async def start(self, by: CollectionPass, spec: RolloutSpec, proposals: Sequence[Proposal]) -> Rollout:
        """Begin a rollout of the alias that `by` is for, to candidates that are there or are to be built.

        Raises InvalidInput, InvalidName, LimitExceeded; NotFound for the alias, CollectionNotFound for a candidate; Conflict
        while another rollout of the alias is under way; EmbedderUnavailable when there is none for what is to be built.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        spec = replace(spec, alias=by.collection)
        check_spec(spec)
        self._check_asked(spec)
        stable, now = await self._stable(by), self._clock.now()
        candidates = accepted(spec, proposals, unix_time=now.timestamp())
        for number, proposal in enumerate(proposals):
            if proposal.given is not None:
                field = "candidate" if proposal.name is None else f"variants[{number}].collection"
                await self._check_given(by, proposal.given, stable, field)
        await self._check_validation(spec, stable)
        for each in candidates:
            if each.build is not None:
                check_name(each.collection)
                await self._check_embedder(await self._collections.cloned(by, each.build))
        rollout = Rollout(uuid4().hex, spec, stable, candidates, created_at=now)
        await self._store.add_rollout(rollout, by=by.caller.name)
        return rollout

    async def estimate(self, by: CollectionPass, spec: RolloutSpec, proposals: Sequence[Proposal]) -> Estimate:
        """What building the candidates of such a rollout would take, added up. Nothing is begun. Raises as `start` does."""
        by.require(Permission.WRITE_COLLECTIONS)
        spec = replace(spec, alias=by.collection)
        check_spec(spec)
        stable = await self._stable(by)
        candidates = accepted(spec, proposals, unix_time=self._clock.now().timestamp())
        builds = [each.build for each in candidates if each.build is not None]
        if not builds:
            raise InvalidInput("build: without it nothing is built that could be estimated", field="build")
        profiles = [await self._collections.cloned(by, build) for build in builds]
        estimates = [await self._estimator.estimate(stable, profile) for profile in profiles]
        return replace(in_total(estimates), warnings=warnings_of(spec, variants=len(candidates)))

    async def change(
        self, by: Pass, rollout_id: str, verb: Verb, *, reason: str = "", by_s: float | None = None, variant: str = ""
    ) -> SteeredRollout:
        """Do something to a rollout. Raises RolloutNotFound; InvalidInput without a reason, or for a variant that takes no part;
        Conflict where it makes no sense, or where the alias of one that rests leads elsewhere since."""
        by.require(Permission.WRITE_COLLECTIONS)
        rollout = await self._seen(by, rollout_id)
        now, route = self._clock.now(), (await self._store.routes()).get(rollout.spec.alias)
        following = apply_verb(rollout, verb, route=route, now=now, reason=reason, by_s=by_s, variant=variant)
        if not await self._store.keep_rollout(following, by=f"{by.caller.name} {verb}", now=now):
            raise Conflict(
                f"rollout {rollout_id!r} has moved on meanwhile: look at it (`vectis rollout show {rollout_id}`) and repeat",
                rollout=rollout_id,
            )
        return SteeredRollout(rollout, following)

    async def rollouts(self, by: Pass, *, limit: int, alias: str | None = None) -> list[Rollout]:
        """Those of aliases that the caller sees, newest first. Raises LimitExceeded beyond 1000."""
        by.require(Permission.READ_COLLECTIONS)
        if not 1 <= limit <= LIST_MAX:
            raise LimitExceeded(f"limit is {limit}; it may be 1 to {LIST_MAX}", field="limit", maximum=LIST_MAX)
        found = await self._store.rollouts(limit=LIST_MAX, alias=alias)
        return [rollout for rollout in found if by.sees(rollout.spec.alias)][:limit]

    async def get(self, by: Pass, rollout_id: str) -> Rollout:
        """One rollout. Raises RolloutNotFound, for one of an alias that the caller does not see as for one that is not there."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._seen(by, rollout_id)

    async def explain(self, by: Pass, rollout_id: str) -> ExplainedRollout:
        """A rollout, every change it went through, and every judgement. Raises RolloutNotFound."""
        by.require(Permission.READ_COLLECTIONS)
        rollout = await self._seen(by, rollout_id)
        return ExplainedRollout(
            rollout, await self._store.transitions(rollout_id), await self._store.judgements(rollout_id)
        )

    async def follow(self, by: Pass, rollout_id: str, *, for_s: float) -> AsyncGenerator[RolloutPicture | None]:
        """The rollout now and at each change, until it is decided what the alias serves or for so many seconds.

        Nothing new for a while is None. Raises RolloutNotFound.
        """
        by.require(Permission.READ_COLLECTIONS)
        onlooker = Onlooker(self._store)
        began = told = self._clock.monotonic()
        seen: RolloutPicture | None = None
        while True:
            picture = await onlooker.look(await self._seen(by, rollout_id), self._clock.now())
            now = self._clock.monotonic()
            if picture != seen or now - told >= _QUIET_S:
                yield picture if picture != seen else None
                seen, told = picture, now
            if picture.rollout.step in SETTLED or now - began >= for_s:
                return
            await asyncio.sleep(_LOOK_S)  # it changes in another process, and SQLite cannot call

    async def standing(self, by: Pass) -> list[AliasStanding]:
        """Every alias that the caller sees, with its newest rollout."""
        by.require(Permission.READ_COLLECTIONS)
        routes = [route for route in (await self._store.routes()).routes() if by.sees(route.alias)]
        newest = {route.alias: await self._store.rollouts(limit=1, alias=route.alias) for route in routes}
        return [AliasStanding(route, next(iter(newest[route.alias]), None)) for route in routes]

    async def _stable(self, by: CollectionPass) -> str:
        route = (await self._store.routes()).get(by.collection)
        if route is None:
            raise NotFound(f"alias: no alias is called {by.collection[:140]!r}; set it first", field="alias")
        return route.targets[0].collection

    async def _check_given(self, by: CollectionPass, candidate: CollectionPass, stable: str, field: str) -> None:
        candidate.require(Permission.WRITE_COLLECTIONS)
        name = candidate.collection
        if not await is_there(self._store, name):
            raise CollectionNotFound(f"there is no collection {name[:140]!r}", collection=name[:140])
        if name == stable or tenant_of(name) != tenant_of(by.collection):
            raise InvalidInput(f"{field}: {name!r} must be another collection of the alias's tenant", field=field)

    async def _check_embedder(self, profile: CollectionProfile) -> None:
        """A candidate without vectors never gets ready: its model is asked for one before anything begins."""
        if profile.embedding is not None:
            embedder = await self._embedders.of(profile.embedding)
            await embedder.embed_query("")

    async def _check_validation(self, spec: RolloutSpec, stable: str) -> None:
        collection = await self._store.collection(stable)
        of_vectors = collection is not None and collection.profile.embedding is None
        words = {
            "validation": bool(spec.validation.queries or spec.validation.judged),
            "interleave_percent": any(stage.interleave_percent for stage in spec.stages),
        }
        field = next((name for name, asked in words.items() if asked), None)
        if of_vectors and field is not None:
            raise InvalidInput(
                f"{field}: the collection holds its callers' own vectors and cannot be asked in words", field=field
            )

    def _check_asked(self, spec: RolloutSpec) -> None:
        asked = len(spec.validation.queries) + len(spec.validation.judged)
        if asked > QUERIES_MAX:
            raise LimitExceeded(
                f"validation: {asked} queries, the maximum is {QUERIES_MAX}", field="validation", maximum=QUERIES_MAX
            )
        for number, hook in enumerate(spec.hooks):
            if hook.url not in self._hook_urls:
                raise InvalidInput(
                    f"hooks[{number}].url: not among the addresses of the setting rollouts.hook_urls",
                    field=f"hooks[{number}].url",
                )

    async def _seen(self, by: Pass, rollout_id: str) -> Rollout:
        rollout = await self._store.rollout(rollout_id)
        if rollout is None or not by.sees(rollout.spec.alias):
            raise RolloutNotFound(f"no rollout has the id {rollout_id[:80]!r}", id=rollout_id[:80])
        return rollout
