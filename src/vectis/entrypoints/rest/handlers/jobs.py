"""Background jobs: looking, retrying, cancelling, recovering, counting."""

from collections.abc import AsyncGenerator
from datetime import datetime

import msgspec
from msgspec.structs import asdict, replace

from vectis.domain.jobs import Job, JobFilter, JobState, WorkerReport
from vectis.entrypoints.rest import job_answers
from vectis.entrypoints.rest.operation import Call

FOLLOWED_S = 600.0
"""A stream ends after so long; who wants more comes again, and is asked again who it is."""


async def list_page(call: Call) -> job_answers.JobList:
    """Jobs, newest first."""
    query = call.query
    only = JobFilter(kind=query.kind, state=query.state, queue=query.queue)
    jobs = await call.services.jobs.list(call.may_all(), only=only, limit=min(query.limit, 1000), before=query.before)
    return job_answers.JobList(jobs=[job_view(call, job) for job in jobs])


async def get(call: Call) -> job_answers.JobDetail:
    """One job, how far it is, and its log."""
    by = call.may_all()
    view = job_view(call, await call.services.jobs.get(by, call.path["id"]))
    lines = [replace(line, text=call.caller.own_words(line.text)) for line in await call.services.jobs.log(by, view.id)]
    return job_answers.JobDetail(**asdict(view), log=lines)


async def follow(call: Call) -> AsyncGenerator[bytes]:
    """The job now and at each change, as server-sent events; comments keep the connection while nothing changes."""
    by, job_id = call.may_all(), call.path["id"]
    await call.services.jobs.get(by, job_id)
    return _events(call, call.services.jobs.follow(by, job_id, for_s=FOLLOWED_S))


async def _events(call: Call, jobs: AsyncGenerator[Job | None]) -> AsyncGenerator[bytes]:
    async for job in jobs:
        if job is None:
            yield b": nothing new\n\n"
        else:
            yield b"event: JobView\ndata: " + msgspec.json.encode(job_view(call, job)) + b"\n\n"


async def retry(call: Call) -> job_answers.JobView:
    """Let one dead or cancelled job run again."""
    return job_view(call, await call.services.jobs.retry(call.may_all(), call.path["id"]))


async def retry_dead(call: Call) -> job_answers.JobsChanged:
    """Let all dead jobs run again, or those of a kind or queue."""
    only = JobFilter(kind=call.body.kind, state=JobState.DEAD, queue=call.body.queue)
    return job_answers.JobsChanged(jobs=await call.services.jobs.retry_all(call.may_all(), only))


async def cancel(call: Call) -> job_answers.JobView:
    """End a job: at once when it waits, at its next report when it runs."""
    return job_view(call, await call.services.jobs.cancel(call.may_all(), call.path["id"]))


async def recover(call: Call) -> job_answers.JobsChanged:
    """Take from dead workers what they held, without waiting for another worker to find it."""
    return job_answers.JobsChanged(jobs=await call.services.jobs.recover(call.may_all(), call.body.worker))


async def stats(call: Call) -> job_answers.JobHealth:
    """The health of the queues now."""
    found = await call.services.jobs.stats(call.may_all())
    return job_answers.JobHealth(
        pending=found.count(JobState.PENDING),
        running=found.count(JobState.RUNNING),
        dead=found.count(JobState.DEAD),
        done=found.count(JobState.DONE),
        cancelled=found.count(JobState.CANCELLED),
        oldest_pending_age_s=_age_s(found.waiting_since, found.at),
        queues=found.states,
        kinds=found.kinds,
        workers=[_worker(report, found.at) for report in found.workers],
    )


def job_view(call: Call, job: Job) -> job_answers.JobView:
    """A job as its caller sees it; its payload stays inside."""
    return job_answers.JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        progress=job.progress,
        attempt=job.attempt,
        error=_own(call, job.error),
        created_at=job.created_at,
        finished_at=job.finished_at,
        queue=job.queue,
        priority=job.priority,
        key=_own(call, job.key),
        due_at=job.due_at,
        started_at=job.started_at,
        worker=job.worker,
        cancel_asked=job.cancel_asked,
    )


def _own(call: Call, text: str | None) -> str | None:
    return None if text is None else call.caller.own_words(text)


def _worker(report: WorkerReport, now: datetime) -> job_answers.WorkerView:
    return job_answers.WorkerView(
        name=report.name,
        host=report.host,
        pid=report.pid,
        started_at=report.started_at,
        seen_age_s=_age_s(report.seen_at, now) or 0.0,
        running=report.running,
        jobs_max=report.jobs_max,
        memory_bytes=report.memory_bytes,
        queues=list(report.queues),
    )


def _age_s(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else round(max(0.0, (now - since).total_seconds()), 3)
