"""The catalog's background work."""

from vectis.catalog.service import CatalogService
from vectis.domain.access import SYSTEM, Permission, authorize_on
from vectis.domain.jobs import Job, JobProgress
from vectis.domain.ports.jobs import JobContext, JobHandler


def optimize_handler(catalog: CatalogService) -> JobHandler:
    """The handler of `optimize` jobs. Idempotent: there is nothing to build the second time."""

    async def run(job: Job, context: JobContext) -> None:
        by = authorize_on(SYSTEM, Permission.WRITE_COLLECTIONS, job.payload["collection"])
        built = await catalog.optimize(by)
        await context.report(JobProgress(done=1, total=1, unit="collections", counts={"built": int(built)}))

    return run


def removal_handler(catalog: CatalogService) -> JobHandler:
    """The handler of `remove_collection` jobs. Idempotent: what is gone, or not deleted any more, is left alone."""

    async def run(job: Job, context: JobContext) -> None:
        by = authorize_on(SYSTEM, Permission.DELETE_COLLECTIONS, job.payload["collection"])
        removed = await catalog.remove(by, job.id)
        await context.report(JobProgress(done=1, total=1, unit="collections", counts={"removed": int(removed)}))

    return run
