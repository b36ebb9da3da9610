"""Health and metrics: what the server says of itself."""

from datetime import UTC, datetime

from vectis import __version__
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
