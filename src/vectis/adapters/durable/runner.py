"""A worker's side of jobs: take one under a lease, run its handler, keep the lease, settle it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from vectis.adapters.durable.pauses import OUTSIDE, pause_after, retry_after_s
from vectis.adapters.durable.running import Ending, RunningJob
from vectis.adapters.durable.seat import Seat
from vectis.adapters.durable.seating import Seating
from vectis.domain.errors import Conflict, InvalidInput, NotFound, TooLarge, VectisError
from vectis.domain.jobs import Job, JobState
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.jobs import JobHandlers
from vectis.domain.ports.leases import Hold, Leases, Wanted

_PERMANENT = (InvalidInput, NotFound, Conflict, TooLarge)
"""What no repetition can help."""

_RENEWALS = 6
"""How often a lease is renewed in its time."""

_LOOK_FIRST_S = 0.01
_LOOK_MAX_S = 0.2
_BEGUN_MAX = 100
"""A job that was begun so often and never settled takes its worker down with it."""

ObserveJob = Callable[[str, str, float], None]
"""Counts one attempt that ended: kind, the state of its job then, seconds."""

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("vectis.jobs")


class LeaseRunner:
    """vectis.domain.ports.jobs.JobRunner of one seat.

    The seat's name is this process's alone: the next one of that name takes up at once what it left. Any other worker
    takes it up when its lease ends; clocks of workers may differ by seconds, not more. A handler that fails runs again
    after a growing pause; after `attempts_max` failures, or an error that no repetition can help, its job is dead. A kill
    is no failure of the job, and what is away or full outside is waited for without end.
    """

    def __init__(self, leases: Leases, seat: Seat, clock: Clock, observe: ObserveJob) -> None:
        self._leases = leases
        self._seat = seat
        self._clock = clock
        self._observe = observe
        self._seating = Seating(leases, seat, clock)
        self._unseated: Conflict | None = None
        self._slots = asyncio.Semaphore(seat.jobs_max)
        self._running: dict[str, RunningJob] = {}
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self._renewed_s = clock.monotonic()

    async def announce(self) -> None:
        """See the port."""
        try:
            await self._seating.take()
        except OUTSIDE as error:
            log.warning("job ledger unavailable", error=str(error))

    async def run(self, handlers: JobHandlers) -> None:
        """See the port."""
        self._ended.clear()
        try:
            async with asyncio.TaskGroup() as group:
                renewal = group.create_task(self._renew())
                async with asyncio.TaskGroup() as jobs:
                    await self._take(handlers, jobs)
                renewal.cancel()
            await self._seating.leave()
        finally:
            self._ended.set()
        if self._unseated is not None:
            raise self._unseated

    async def stop(self) -> None:
        """See the port."""
        self._stopping.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), self._seat.stop_s)
        for running in list(self._running.values()):
            running.end(Ending.HANDED_BACK)
        await self._ended.wait()

    async def _take(self, handlers: JobHandlers, jobs: asyncio.TaskGroup) -> None:
        wanted = Wanted(tuple(handlers), self._seat.queues, self._seat.limits)
        pause_s, released = _LOOK_FIRST_S, False
        while not self._stopping.is_set():
            await self._slots.acquire()
            claim = None
            try:
                if not released:
                    await self._seating.take()
                    await self._leases.release_jobs(self._seat.name)
                    released = True
                if not self._stopping.is_set():
                    claim = await self._leases.claim_job(
                        self._seat.name, wanted, now=self._clock.now(), until=self._lease_end()
                    )
            except OUTSIDE as error:
                log.warning("job ledger unavailable", error=str(error))
                pause_s = retry_after_s(error)
            except Conflict as error:
                self._lose_seat(error)
            if claim is not None:
                running = RunningJob(self._leases, self._clock, claim, self._seat.lease_s)
                self._running[claim.job.id] = running
                jobs.create_task(self._carry_out(running, handlers))
                pause_s = _LOOK_FIRST_S
                continue
            self._slots.release()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            pause_s = min(_LOOK_MAX_S, pause_s * 1.2)

    async def _carry_out(self, running: RunningJob, handlers: JobHandlers) -> None:
        claim, started_s = running.claim, self._clock.monotonic()
        try:
            if claim.job.cancel_asked:
                await self._end(running, JobState.CANCELLED, "cancelled")
                return
            if claim.begun > _BEGUN_MAX:
                said = f"begun {_BEGUN_MAX} times without an end: its worker dies of it"
                await self._end(running, JobState.DEAD, said)
                return
            if claim.begun > claim.failures + 1:
                await self._note(running, f"taken up by {self._seat.name}: the attempt before was interrupted")
            error = await running.run(handlers[claim.job.kind])
            state = await self._settled(running, error)
            self._observe(claim.job.kind, state.value, self._clock.monotonic() - started_s)
        finally:
            del self._running[claim.job.id]
            self._slots.release()

    async def _settled(self, running: RunningJob, error: BaseException | None) -> JobState:
        """Write how an attempt ended; the state of its job then."""
        if error is None:
            return await self._end(running, JobState.DONE)
        if isinstance(error, asyncio.CancelledError) and running.ending is not None:
            match running.ending:
                case Ending.LOST:
                    log.warning("job lease lost", job=running.job.id)
                    return running.job.state
                case Ending.CANCELLED:
                    return await self._end(running, JobState.CANCELLED, "cancelled while it ran")
                case Ending.HANDED_BACK:
                    await self._note(running, f"handed back: {self._seat.name} ends")
                    return await self._again(running, running.claim.failures, 0.0)
        return await self._fail(running, error)

    async def _fail(self, running: RunningJob, error: BaseException) -> JobState:
        job, failures = running.job, running.claim.failures + 1
        said = str(error) if isinstance(error, VectisError) else f"{type(error).__name__}: {error}"
        worn_out = failures >= self._seat.attempts_max and not isinstance(error, OUTSIDE)
        if worn_out or isinstance(error, _PERMANENT):
            log.error("job dead", job=job.id, kind=job.kind, attempt=job.attempt, error=said, exc_info=error)
            return await self._end(running, JobState.DEAD, said, failures)
        pause_s = pause_after(job.id, failures, error)
        log.warning("job failed, will run again", job=job.id, kind=job.kind, error=said, pause_s=round(pause_s, 3))
        await self._note(running, f"failed, runs again in {pause_s:.1f} s: {said}")
        return await self._again(running, failures, pause_s)

    async def _end(self, running: RunningJob, state: JobState, said: str = "", failures: int | None = None) -> JobState:
        """End the job for good; `said` is why it is dead or cancelled."""
        error = said if state is JobState.DEAD else None
        job = replace(running.job, state=state, error=error, finished_at=self._clock.now())
        await self._write(job, running.claim.failures if failures is None else failures, None)
        if said:
            await self._note(running, f"{state.value}: {said}")
        return state

    async def _again(self, running: RunningJob, failures: int, pause_s: float) -> JobState:
        """Let the job run again; one whose cancelling was asked meanwhile ends instead."""
        job = replace(running.job, state=JobState.PENDING)
        held_until = self._clock.now() + timedelta(seconds=pause_s) if pause_s else None
        if await self._write(job, failures, held_until) is Hold.CANCEL_ASKED:
            return await self._end(running, JobState.CANCELLED, "cancelled")
        return JobState.PENDING

    async def _write(self, job: Job, failures: int, held_until: datetime | None) -> Hold:
        """Write how the attempt ended, however long the ledger is away."""
        while True:
            try:
                return await self._leases.keep_job(job, failures=failures, held_until=held_until)
            except OUTSIDE as error:
                log.warning("job ledger unavailable", job=job.id, error=str(error))
                # a ledger that is away does not say when it is back
                await asyncio.sleep(retry_after_s(error))

    async def _note(self, running: RunningJob, text: str) -> None:
        """Add to the job's log when the ledger takes it; the server's log has it anyway."""
        log.info("job", job=running.job.id, kind=running.job.kind, attempt=running.job.attempt, said=text)
        with suppress(*OUTSIDE):
            await running.log(text)

    async def _renew(self) -> None:
        """Keep the leases and the seat; make the handler end whose lease is lost, for then another worker may run the job."""
        renewal_s = self._seat.lease_s / _RENEWALS
        while True:
            await asyncio.sleep(renewal_s)  # only the clock ends a lease
            held = dict(self._running)
            attempts = {job_id: running.job.attempt for job_id, running in held.items()}
            try:
                async with asyncio.timeout(renewal_s):
                    kept = await self._leases.renew_leases(attempts, until=self._lease_end()) if held else {}
                    self._renewed_s = self._clock.monotonic()
                    await self._seating.keep(len(self._running))
            except Conflict as error:
                self._lose_seat(error)
                return
            except (*OUTSIDE, TimeoutError) as error:
                log.warning("job ledger unavailable", error=str(error))
                if self._clock.monotonic() - self._renewed_s < self._seat.lease_s - 2 * renewal_s:
                    continue
                kept = {}
            for job_id, running in held.items():
                running.learn(kept.get(job_id))

    def _lose_seat(self, error: Conflict) -> None:
        """Another worker of this name takes up what this one held: end all of it, and take nothing more."""
        self._unseated = error
        self._stopping.set()
        for running in self._running.values():
            running.learn(Hold.LOST)

    def _lease_end(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._seat.lease_s)
