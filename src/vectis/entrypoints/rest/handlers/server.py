"""Health and metrics: what the server says of itself."""

from vectis import __version__
from vectis.entrypoints.rest import answers
from vectis.entrypoints.rest.operation import TEXT, Call, Reply


async def health(call: Call) -> answers.Health | Reply:
    """How every part answers, looked at 0.2 s ago at most; 503 when a needed one does not answer."""
    readiness = await call.services.readiness.check()
    view = answers.Health(
        status=readiness.status,
        version=__version__,
        database="connected" if readiness.findings["store"].ok else "disconnected",
        timestamp=readiness.at,
        checks={
            name: answers.Check(status="ok" if f.ok else "failed", detail=f.detail, took_ms=f.took_ms)
            for name, f in readiness.findings.items()
        },
    )
    return Reply(view, 503) if readiness.status == "unhealthy" else view


async def environment(call: Call) -> answers.EnvironmentStatus:
    """Look at every part and at what the server runs in."""
    found = await call.services.readiness.examine(call.may_all())
    states = {evidence.state for evidence in found.values()}
    return answers.EnvironmentStatus(
        status=next(state for state in ("failed", "warning", "ok") if state in states),
        checks={
            name: answers.EvidenceView(state=e.state, detail=e.detail, took_ms=e.took_ms, at=e.at, age_s=e.age_s)
            for name, e in found.items()
        },
    )


async def database(call: Call) -> answers.DatabaseStats:
    """The control store's connections in this process."""
    found = call.services.connections(call.may_all())
    pool = answers.ConnectionPool(
        kept=found.kept, in_use=found.in_use, idle=found.idle, overflow=found.overflow, status=found.status
    )
    return answers.DatabaseStats(backend=found.backend, connection_pool=pool)


async def metrics(call: Call) -> Reply:
    """Prometheus text of all processes of this server."""
    return Reply(await call.services.metrics(call.may_all()), 200, TEXT)
