"""The catalog's background work."""

from vectis.catalog.service import CatalogService
from vectis.domain.jobs import Job, JobProgress
from vectis.domain.ports.jobs import JobContext, JobHandler

OPTIMIZE = "optimize"
"""Builds what is unindexed. Payload: {"collection": name}."""


def optimize_handler(catalog: CatalogService) -> JobHandler:
    """The handler of `optimize` jobs. Idempotent: there is nothing to build the second time."""

    async def run(job: Job, context: JobContext) -> None:
        built = await catalog.optimize(job.payload["collection"])
        await context.report(JobProgress(done=1, total=1, unit="collections", counts={"built": int(built)}))

    return run
