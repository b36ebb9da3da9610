"""A worker's side of jobs: take one under a lease, run its handler, keep the lease, settle it."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from msgspec.structs import replace

from vectis.domain.errors import Conflict, DiskFull, InvalidInput, NotFound, TooLarge, Unavailable, VectisError
from vectis.domain.jobs import Job, JobProgress, JobState
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.jobs import JobHandlers

_PERMANENT = (InvalidInput, NotFound, Conflict, TooLarge)
"""What no repetition can help."""

_OUTSIDE = (Unavailable, DiskFull)
"""What time or an operator ends: it never kills a job, however often it is met."""

_RENEWALS = 6
"""How often a lease is renewed in its time."""

_LOOK_FIRST_S = 0.01
_LOOK_MAX_S = 0.2
_BACKOFF_FIRST_S = 0.5
_BACKOFF_MAX_S = 60.0
_BACKOFF_OUTSIDE_MAX_S = 15.0
_DISK_FULL_RETRY_S = 1.0
_BEGUN_MAX = 100
"""A job that was begun so often and never settled takes its worker down with it."""

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("vectis.jobs")


class Leases(Protocol):
    """The ledger as workers see it: exclusive rights until a time, told apart by the number of the attempt."""

    async def claim_job(
        self, worker: str, kinds: Collection[str], *, now: datetime, until: datetime
    ) -> tuple[Job, int] | None:
        """Take the oldest job that nobody holds, as running and one attempt further; with it, how often it failed."""
        ...

    async def keep_job(self, job: Job, *, failures: int, held_until: datetime | None) -> bool:
        """Write what the holder of this attempt knows; False, and nothing written, when another has taken the job over."""
        ...

    async def renew_leases(self, attempts: Mapping[str, int], *, until: datetime) -> set[str]:
        """Hold jobs (id -> attempt) for longer; gives those that are still held."""
        ...

    async def release_jobs(self, worker: str) -> None:
        """Let go of all that `worker` held when it died."""
        ...


class LeaseRunner:
    """vectis.domain.ports.jobs.JobRunner; at most `concurrency` handlers at a time.

    `worker` names this process: the next one of that name takes up at once what it left, so no two live workers may share
    it. Any other worker takes it up when its lease of `lease_s` ends; clocks of workers may differ by seconds, not more. A
    handler that fails runs again after a growing pause; after `attempts_max` failures, or an error that no repetition can
    help, its job is dead. A kill is no failure of the job, and what is away or full outside is waited for without end.
    """

    def __init__(
        self,
        leases: Leases,
        worker: str,
        clock: Clock,
        *,
        concurrency: int = 1,
        attempts_max: int = 10,
        lease_s: float = 30.0,
    ) -> None:
        self._leases = leases
        self._worker = worker
        self._clock = clock
        self._attempts_max = attempts_max
        self._lease_s = lease_s
        self._slots = asyncio.Semaphore(concurrency)
        self._running: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._renewed_s = clock.monotonic()

    async def run(self, handlers: JobHandlers) -> None:
        """See the port."""
        self._ended.clear()
        try:
            async with asyncio.TaskGroup() as group:
                renewal = group.create_task(self._renew())
                async with asyncio.TaskGroup() as jobs:
                    await self._take(handlers, jobs)
                renewal.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """See the port."""
        self._stopping.set()
        await self._ended.wait()

    async def _take(self, handlers: JobHandlers, jobs: asyncio.TaskGroup) -> None:
        pause_s, released = _LOOK_FIRST_S, False
        while not self._stopping.is_set():
            await self._slots.acquire()
            claimed = None
            try:
                if not released:
                    await self._leases.release_jobs(self._worker)
                    released = True
                if not self._stopping.is_set():
                    claimed = await self._leases.claim_job(
                        self._worker, list(handlers), now=self._clock.now(), until=self._lease_end()
                    )
            except _OUTSIDE as error:
                log.warning("job ledger unavailable", error=str(error))
                pause_s = _retry_after_s(error)
            if claimed is not None:
                job, failures = claimed
                task = jobs.create_task(self._carry_out(job, failures, handlers))
                self._running[job.id] = (job.attempt, task)
                pause_s = _LOOK_FIRST_S
                continue
            self._slots.release()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            pause_s = min(_LOOK_MAX_S, pause_s * 1.2)

    async def _carry_out(self, job: Job, failures: int, handlers: JobHandlers) -> None:
        context = LeasedContext(self, job, failures)
        try:
            if job.attempt - failures > _BEGUN_MAX:
                said = f"begun {_BEGUN_MAX} times without an end: its worker dies of it"
                await self._settle(self._dead(job, said), failures)
                return
            try:
                await handlers[job.kind](job, context)
            except Exception as error:  # noqa: BLE001 (whatever a handler raises is its job's failure, never the worker's)
                await self._fail(context.job, failures + 1, error)
            else:
                done = replace(context.job, state=JobState.DONE, finished_at=self._clock.now())
                await self._settle(done, failures)
        finally:
            del self._running[job.id]
            self._slots.release()

    async def _fail(self, job: Job, failures: int, error: Exception) -> None:
        said = str(error) if isinstance(error, VectisError) else f"{type(error).__name__}: {error}"
        worn_out = failures >= self._attempts_max and not isinstance(error, _OUTSIDE)
        if worn_out or isinstance(error, _PERMANENT):
            log.error("job dead", job=job.id, kind=job.kind, attempt=job.attempt, error=said, exc_info=error)
            await self._settle(self._dead(job, said), failures)
            return
        pause_s = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 10))
        if isinstance(error, _OUTSIDE):
            pause_s = max(min(pause_s, _BACKOFF_OUTSIDE_MAX_S), _retry_after_s(error))
        log.warning("job failed, will run again", job=job.id, kind=job.kind, error=said, pause_s=pause_s)
        await self._settle(replace(job, state=JobState.PENDING), failures, pause_s=pause_s)

    def _dead(self, job: Job, said: str) -> Job:
        return replace(job, state=JobState.DEAD, error=said, finished_at=self._clock.now())

    async def _settle(self, job: Job, failures: int, *, pause_s: float = 0.0) -> None:
        """Write how the attempt ended, however long the ledger is away."""
        while True:
            held_until = self._clock.now() + timedelta(seconds=pause_s) if pause_s else None
            try:
                await self._leases.keep_job(job, failures=failures, held_until=held_until)
            except _OUTSIDE as error:
                log.warning("job ledger unavailable", job=job.id, error=str(error))
                # a ledger that is away does not say when it is back
                await asyncio.sleep(_retry_after_s(error))
            else:
                return

    async def _renew(self) -> None:
        """Keep the leases; cancel a handler whose lease is lost, for then another worker may run the job."""
        renewal_s = self._lease_s / _RENEWALS
        while True:
            await asyncio.sleep(renewal_s)  # only the clock ends a lease
            held = {job_id: attempt for job_id, (attempt, _) in self._running.items()}
            try:
                async with asyncio.timeout(renewal_s):
                    kept = await self._leases.renew_leases(held, until=self._lease_end()) if held else set[str]()
                self._renewed_s = self._clock.monotonic()
            except (*_OUTSIDE, TimeoutError) as error:
                log.warning("job ledger unavailable", error=str(error))
                if self._clock.monotonic() - self._renewed_s < self._lease_s - 2 * renewal_s:
                    continue
                kept = set[str]()
            for job_id in held.keys() - kept:
                attempt, task = self._running.get(job_id, (0, None))
                if task is not None and attempt == held[job_id]:
                    log.warning("job lease lost", job=job_id)
                    task.cancel()

    def _lease_end(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._lease_s)

    async def keep(self, job: Job, failures: int) -> None:
        """Write the state of a running job. Conflict when another worker has taken it over."""
        if not await self._leases.keep_job(job, failures=failures, held_until=self._lease_end()):
            raise Conflict(f"job {job.id!r} was taken over by another worker: this one gives up", job=job.id)


class LeasedContext:
    """vectis.domain.ports.jobs.JobContext: what a handler reports goes to the ledger."""

    def __init__(self, runner: LeaseRunner, job: Job, failures: int) -> None:
        self._runner = runner
        self._failures = failures
        self.job = job

    async def report(self, progress: JobProgress) -> None:
        """See the port. Conflict when another worker has taken the job over."""
        self.job = replace(self.job, progress=progress)
        await self._runner.keep(self.job, self._failures)


def _retry_after_s(error: Unavailable | DiskFull) -> float:
    return error.retry_after_s if isinstance(error, Unavailable) else _DISK_FULL_RETRY_S
