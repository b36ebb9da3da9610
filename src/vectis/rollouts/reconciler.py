"""Moving rollouts on: read the world, ask the rules for the one next action, apply it. A crash costs a tick."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from vectis.domain.access import SYSTEM, Permission, authorize_on
from vectis.domain.errors import Conflict, DiskFull, InvalidInput, NotFound, Unavailable, VectisError
from vectis.domain.judgements import Judgement, Verdict
from vectis.domain.ports.clock import Clock
from vectis.domain.rollouts import Rollout, Step
from vectis.rollouts.building import CandidateBuilder, is_there
from vectis.rollouts.looks import StageJudge
from vectis.rollouts.rules import Action, Ask, Build, Move, Retire, SetRoute, Validate, Wait, World, next_action
from vectis.rollouts.surroundings import CollectionKeeping, HookCaller, Note, RolloutParts
from vectis.rollouts.transitions import taken_out
from vectis.rollouts.validation import NO_SPLIT, Validator
from vectis.rollouts.witness import RECONCILER, Witness, shares_of, standing_of

TICK_S = 1.0
LEAD = timedelta(seconds=15)
"""How long a worker that died keeps the others from moving rollouts on."""

_ACTIONS_MAX = 20
"""Actions of one rollout in one tick: from one pause to the next there are fewer."""


class Reconciler:
    """Moves every unfinished rollout on while this worker is the one that does."""

    def __init__(
        self,
        *,
        worker: str,
        store: RolloutParts,
        collections: CollectionKeeping,
        builder: CandidateBuilder,
        validator: Validator,
        judge: StageJudge,
        hooks: HookCaller,
        witness: Witness,
        clock: Clock,
        note: Note,
    ) -> None:
        self._worker = worker
        self._store = store
        self._collections = collections
        self._builder = builder
        self._validator = validator
        self._judge = judge
        self._hooks = hooks
        self._witness = witness
        self._clock = clock
        self._note = note

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until told to stop; then another worker may go on at once."""
        while not stop.is_set():
            try:
                await self.tick()
            except (Unavailable, DiskFull) as error:
                self._note("", f"waits: {error.message}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_S)
        with suppress(Unavailable, DiskFull):
            now = self._clock.now()
            await self._store.lead_rollouts(self._worker, now=now, until=now)

    async def tick(self) -> None:
        """Move each rollout on until it waits. Raises when store or engine are away; the others wait as well then."""
        unfinished = await self._store.unfinished_rollouts()
        if not unfinished:
            return
        await self._witness.check()
        now = self._clock.now()
        if not await self._store.lead_rollouts(self._worker, now=now, until=now + LEAD):
            return
        for rollout in unfinished:
            try:
                await self._move_on(rollout.id)
            except (Unavailable, DiskFull):
                raise
            except VectisError as error:
                self._note(rollout.id, f"waits: {error.message}")

    async def _move_on(self, rollout_id: str) -> None:
        for _ in range(_ACTIONS_MAX):
            world = await self._read(rollout_id)
            if world is None:
                return
            action = next_action(world)
            if isinstance(action, Wait):
                return
            await self._apply(world, action)

    async def _read(self, rollout_id: str) -> World | None:
        rollout = await self._store.rollout(rollout_id)
        if rollout is None:
            return None
        validations: dict[str, Judgement] = {}
        if rollout.step is Step.VALIDATE:
            validations = (await self._store.judgements(rollout_id)).get(rollout.generation, {})
        return World(
            now=self._clock.now(),
            rollout=rollout,
            route=(await self._store.routes()).get(rollout.spec.alias),
            candidates=await self._builder.states(rollout),
            validations=validations,
            judgements=await self._judge.judgements(rollout),
            spare=await self._spare(rollout),
        )

    async def _spare(self, rollout: Rollout) -> tuple[str, ...]:
        """What serves no more, is still there, and does not belong to the next rollout of the alias."""
        newest, *_ = await self._store.rollouts(limit=1, alias=rollout.spec.alias)
        needed = () if newest.id == rollout.id else newest.collections
        spare = [name for name in rollout.collections if name != rollout.serving and name not in needed]
        return tuple([name for name in spare if await is_there(self._store, name)])

    async def _apply(self, world: World, action: Action) -> None:
        rollout = world.rollout
        match action:
            case Move(following):
                await self._keep(rollout, following)
            case SetRoute():
                await self._set_route(world, action)
            case Build(variant):
                try:
                    await self._builder.begin(rollout, variant)
                except (InvalidInput, NotFound, Conflict) as error:
                    why = f"the candidate could not be built: {error.message}"
                    await self._keep(rollout, taken_out(rollout, {variant: why}))
            case Validate():
                await self._store.keep_judgements(rollout.id, rollout.generation, await self._judged(rollout))
            case Ask(point, agreed, refused):
                hooks = [hook for hook in rollout.spec.hooks if hook.at is point]
                answers = [await self._hooks.agrees(hook, point, rollout) for hook in hooks]
                await self._keep(rollout, agreed if all(answers) else refused)
            case Retire(collection, _):
                async with self._witness.doing("delete_collection", f"collection {collection}", rollout):
                    await self._collections.delete(authorize_on(SYSTEM, Permission.DELETE_COLLECTIONS, collection))
            case Wait():
                pass

    async def _judged(self, rollout: Rollout) -> dict[str, Judgement]:
        try:
            return await self._validator.validate(rollout)
        except (InvalidInput, NotFound) as error:
            unknown = Judgement(Verdict.ERROR, error.message, (), NO_SPLIT)
            return {each.variant: unknown for each in rollout.running}

    async def _set_route(self, world: World, action: SetRoute) -> None:
        rollout, alias = world.rollout, world.rollout.spec.alias
        by = authorize_on(SYSTEM, Permission.WRITE_COLLECTIONS, alias)
        before = None if world.route is None else shares_of(world.route.plan)
        with suppress(Conflict):  # it was changed meanwhile: read again what it is now
            async with self._witness.doing(
                "set_alias", f"alias {alias}", rollout, before=before, after=shares_of(action.plan)
            ):
                await self._collections.set_plan(by, action.plan, read_version=action.read_version)
            self._note(rollout.id, f"{alias} leads to {', '.join(target.collection for target in action.plan.targets)}")

    async def _keep(self, rollout: Rollout, following: Rollout) -> None:
        """Make it what follows, unless it has moved on: then it is read again."""
        before, after = standing_of(rollout), standing_of(following)
        async with self._witness.doing("move_rollout", f"rollout {rollout.id}", rollout, before=before, after=after):
            if not await self._store.keep_rollout(following, by=RECONCILER, now=self._clock.now()):
                raise Conflict(f"rollout {rollout.id!r} has moved on meanwhile", rollout=rollout.id)
        self._note(rollout.id, f"{following.phase} at {following.step}: {following.reason}")
