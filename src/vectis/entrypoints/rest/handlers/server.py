"""Health, metrics and jobs: what the server says of itself."""

from datetime import UTC, datetime

from vectis import __version__
from vectis.domain.jobs import Job
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.operation import TEXT, Call, Reply


async def health(call: Call) -> answers.Health | Reply:
    """Ask every part now; 503 when a needed one does not answer."""
    readiness = await call.services.readiness.check()
    view = answers.Health(
        status=readiness.status,
        version=__version__,
        database="connected" if readiness.findings["store"].ok else "disconnected",
        timestamp=datetime.now(UTC),
        checks={
            name: answers.Check(status="ok" if f.ok else "failed", detail=f.detail, took_ms=f.took_ms)
            for name, f in readiness.findings.items()
        },
    )
    return Reply(view, 503) if readiness.status == "unhealthy" else view


async def metrics(call: Call) -> Reply:
    """Prometheus text of all processes of this server."""
    return Reply(await call.services.metrics(call.may_all()), 200, TEXT)


async def list_jobs(call: Call) -> answers.JobList:
    """Jobs, newest first."""
    jobs = await call.services.jobs.list(call.may_all(), limit=call.query.limit, kind=call.query.kind)
    return answers.JobList(jobs=[_job(call, job) for job in jobs])


async def get_job(call: Call) -> answers.JobView:
    """One job and how far it is."""
    return _job(call, await call.services.jobs.get(call.may_all(), call.path["id"]))


def _job(call: Call, job: Job) -> answers.JobView:
    return answers.JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        progress=job.progress,
        attempt=job.attempt,
        error=None if job.error is None else call.caller.own_words(job.error),
        created_at=job.created_at,
        finished_at=job.finished_at,
    )
