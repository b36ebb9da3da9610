"""Building a candidate: an empty collection first, then a job that fills it while it follows every write."""

import asyncio
from collections import Counter
from uuid import NAMESPACE_URL, uuid5

from vectis.domain.access import SYSTEM, CollectionPass, Permission, authorize_on
from vectis.domain.collections import Collection
from vectis.domain.errors import CollectionNotFound, JobsUnavailable
from vectis.domain.jobs import UNFINISHED, Job, JobProgress, JobState
from vectis.domain.points import PointId
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.jobs import JobContext, JobQueue
from vectis.domain.rollouts import Candidate, Rollout, Step
from vectis.rollouts.copying import copy_points
from vectis.rollouts.rules import CandidateState
from vectis.rollouts.surroundings import CollectionKeeping, IndexDocuments, RefitLengths, RolloutParts, RolloutPoints

ROLLOUT_BUILD = "rollout_build"
"""The job kind that fills a candidate. Payload: {"collection": the candidate, "rollout": id, "attempt": number}."""

DOCUMENTS_PER_COPY = 1000
DOCUMENTS_PER_INDEX = 64
JOBS_LOOKED_AT_MAX = 1000
FOLLOWS_WITHIN_S = 30.0
"""How long a build waits for the route before it lets other jobs go first."""

_LOOK_S = 0.1


class CandidateBuilder:
    """Candidates of rollouts. Every step may be cut off and begun again: what is there already is not copied again."""

    def __init__(
        self,
        *,
        store: RolloutParts,
        collections: CollectionKeeping,
        points: RolloutPoints,
        index: IndexDocuments,
        refit: RefitLengths,
        queue: JobQueue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._collections = collections
        self._points = points
        self._index = index
        self._refit = refit
        self._queue = queue
        self._clock = clock

    async def states(self, rollout: Rollout) -> dict[str, CandidateState]:
        """Where the candidates that take part stand, by variant. Beyond the build one is ready as long as it is there.

        One that was there before is ready when the jobs that were at work on it before the rollout began have ended.
        """
        return {each.variant: await self._state(rollout, each) for each in rollout.running}

    async def _state(self, rollout: Rollout, candidate: Candidate) -> CandidateState:
        there = await is_there(self._store, candidate.collection)
        if candidate.build is None or rollout.step is not Step.BUILD:
            if there and rollout.step is Step.BUILD and await self._in_work(rollout, candidate.collection):
                return CandidateState.BUILDING
            return CandidateState.READY if there else CandidateState.BROKEN
        job = await self._store.job(_job_id(rollout, candidate))
        if job is None:
            return CandidateState.ABSENT
        if not there or job.state not in (*UNFINISHED, JobState.DONE):
            return CandidateState.BROKEN
        return CandidateState.READY if job.state is JobState.DONE else CandidateState.BUILDING

    async def begin(self, rollout: Rollout, variant: str) -> None:
        """Create a candidate, empty, and record the job that fills it, once per attempt. Raises what `clone` does.

        What an earlier attempt left is removed first: it missed writes since.
        """
        candidate = next(each for each in rollout.running if each.variant == variant)
        name, build = candidate.collection, candidate.build
        if build is None:
            return
        if await is_there(self._store, name):
            await self._collections.delete(_pass_to(Permission.DELETE_COLLECTIONS, name), grace_minutes=0)
        to = _pass_to(Permission.WRITE_COLLECTIONS, name)
        await self._collections.clone(to, _pass_to(Permission.WRITE_COLLECTIONS, rollout.stable), build)
        payload = {"collection": name, "rollout": rollout.id, "attempt": rollout.attempt}
        job = Job(_job_id(rollout, candidate), ROLLOUT_BUILD, JobState.PENDING, payload, created_at=self._clock.now())
        await self._queue.submit(job)

    async def fill(self, job: Job, context: JobContext) -> None:
        """The handler of `rollout_build` jobs. Idempotent; safe to kill anywhere. Ends early when nobody wants it any more."""
        rollout, name = await self._wanted(job), job.payload["collection"]
        if rollout is None or not await self._follows(job, rollout.spec.alias, name):
            return
        stable = await self._store.collection(rollout.stable)
        if stable is None:
            raise CollectionNotFound(f"there is no collection {rollout.stable!r}", collection=rollout.stable)
        await self._fill_in(job, context, stable, name)
        if await self._refit(name):
            await context.log("BM25 vectors are made for the average length of all chunks")
        await self._collections.optimize(_pass_to(Permission.WRITE_COLLECTIONS, name))
        await context.log("indexes are built")
        # whoever wrote before the route said so was not followed; by now each of them has written
        await self._fill_in(job, context, stable, name)

    async def _fill_in(self, job: Job, context: JobContext, stable: Collection, candidate: str) -> None:
        """Copy until nothing is lacking."""
        fill = self._copy_points if stable.profile.embedding is None else self._copy_documents
        while copied := await fill(job, context, stable.name, candidate):
            await context.log(f"copied {copied}")

    async def _copy_documents(self, job: Job, context: JobContext, stable: str, candidate: str) -> int:
        copied, after = 0, None
        while ids := await self._store.copy_documents(
            stable, candidate, limit=DOCUMENTS_PER_COPY, after=after, now=self._clock.now()
        ):
            copied, after = copied + len(ids), ids[-1]
            if await self._wanted(job) is None:
                return 0
        total, after, done = await self._store.count_documents(candidate), None, 0
        counts = Counter({"copied": copied})
        while ids := await self._store.unindexed_documents(candidate, limit=DOCUMENTS_PER_INDEX, after=after):
            counts.update(await self._index(candidate, ids))
            done, after = done + len(ids), ids[-1]
            await context.report(JobProgress(done, max(total, done), "documents", dict(counts)))
            if await self._wanted(job) is None:
                return 0
        return copied

    async def _copy_points(self, job: Job, context: JobContext, stable: str, candidate: str) -> int:
        total = await self._points.count(stable)
        copied, seen = 0, 0
        offset: PointId | None = None
        while True:
            more, offset = await copy_points(self._points, stable, candidate, offset)
            copied, seen = copied + more, seen + 1
            await context.report(JobProgress(copied, max(total, copied), "points", {"pages": seen}))
            if await self._wanted(job) is None:
                return 0
            if offset is None:
                return copied

    async def _in_work(self, rollout: Rollout, collection: str) -> bool:
        return any(
            job.collection == collection and (job.created_at or rollout.created_at) < rollout.created_at
            for job in await self._store.unfinished_jobs(limit=JOBS_LOOKED_AT_MAX)
        )

    async def _wanted(self, job: Job) -> Rollout | None:
        """The rollout while it waits for this very job."""
        rollout = await self._store.rollout(job.payload["rollout"])
        if rollout is None or rollout.step is not Step.BUILD or rollout.attempt != job.payload["attempt"]:
            return None
        return rollout if job.payload["collection"] in (each.collection for each in rollout.running) else None

    async def _follows(self, job: Job, alias: str, candidate: str) -> bool:
        """Wait until every write goes to the candidate too; False when nobody wants that any more. JobsUnavailable in the end.

        What is copied before would be lost when it changes.
        """
        deadline = self._clock.monotonic() + FOLLOWS_WITHIN_S
        while self._clock.monotonic() < deadline:
            route = (await self._store.routes()).get(alias)
            if route is not None and candidate in route.plan.followers:
                return True
            if await self._wanted(job) is None:
                return False
            await asyncio.sleep(_LOOK_S)  # the route is written by another task or process, and the store cannot call
        raise JobsUnavailable(f"alias {alias!r} does not lead its writes to {candidate!r} yet")


async def is_there(store: RolloutParts, name: str) -> bool:
    """Whether a collection is there and not deleted."""
    collection = await store.collection(name)
    return collection is not None and collection.deletion is None


def _job_id(rollout: Rollout, candidate: Candidate) -> str:
    return str(uuid5(NAMESPACE_URL, f"vectis:{ROLLOUT_BUILD}:{rollout.id}:{rollout.attempt}:{candidate.variant}"))


def _pass_to(permission: Permission, name: str) -> CollectionPass:
    return authorize_on(SYSTEM, permission, name)
