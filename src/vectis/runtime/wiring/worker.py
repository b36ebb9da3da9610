"""What a worker process is made of."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec

from vectis.adapters.durable.runner import LeaseRunner
from vectis.adapters.durable.seat import Seat
from vectis.catalog.jobs import optimize_handler, removal_handler
from vectis.catalog.service import OPTIMIZE, REMOVE_COLLECTION
from vectis.domain.access import SYSTEM, Permission, authorize
from vectis.domain.ports.jobs import JobHandlers, JobRunner
from vectis.ingest.indexer import Indexer
from vectis.ingest.jobs import REFIT, index_now, ingest_handler, refit_handler, refit_now
from vectis.ingest.service import INGEST
from vectis.jobs.expiry import EXPIRE_JOBS, expiry_handler
from vectis.rollouts.building import ROLLOUT_BUILD, CandidateBuilder
from vectis.rollouts.reconciler import Reconciler
from vectis.rollouts.witness import Witness
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import Settings
from vectis.runtime.wiring.access import audit_key, open_audit
from vectis.runtime.wiring.caches import DOCUMENTS_LOOKUP_S, Caches
from vectis.runtime.wiring.parts import open_parts, search_of
from vectis.runtime.wiring.rollouts import RolloutAudit, make_judging, noted, open_hooks
from vectis.runtime.wiring.schedules import fire_schedules


class Worker(msgspec.Struct, frozen=True):
    """What the worker process runs."""

    runner: JobRunner
    handlers: JobHandlers
    reconciler: Reconciler


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncGenerator[Worker]:
    """The worker: the catalog brought in step with the engine, and every job kind with its handler."""
    paths = FolderLayout(Path(settings.server.data_dir))
    async with AsyncExitStack() as stack:
        parts = await open_parts(stack, settings, paths, settings.jobs.name)
        await parts.catalog.reconcile(authorize(SYSTEM, Permission.SYSTEM_CONFIG))
        seat = Seat(
            name=settings.jobs.name,
            jobs_max=settings.jobs.concurrency,
            queues=settings.jobs.queue_names(),
            limits=settings.jobs.limits(),
            attempts_max=settings.jobs.attempts_max,
            stop_s=settings.jobs.stop_timeout_s,
        )
        runner = LeaseRunner(parts.store, seat, parts.clock, parts.metrics.observe_job)
        caches = Caches(stack, settings, parts.clock, parts.metrics)
        embeddings = await caches.embeddings(parts.store, lookup_s=DOCUMENTS_LOOKUP_S)
        indexer = Indexer(
            store=parts.store,
            points=parts.engine,
            embedders=parts.embedders,
            embeddings=embeddings,
            sparse=parts.bm25,
        )
        builder = CandidateBuilder(
            store=parts.store,
            collections=parts.catalog,
            points=parts.engine,
            index=partial(index_now, indexer),
            refit=partial(refit_now, indexer),
            queue=parts.queue,
            clock=parts.clock,
        )
        handlers = {
            INGEST: ingest_handler(indexer, parts.queue, parts.clock),
            REFIT: refit_handler(indexer),
            OPTIMIZE: optimize_handler(parts.catalog),
            REMOVE_COLLECTION: removal_handler(parts.catalog),
            EXPIRE_JOBS: expiry_handler(parts.store, parts.clock, timedelta(days=settings.jobs.keep_days)),
            ROLLOUT_BUILD: builder.fill,
        }
        validator, judge = make_judging(
            parts.store, parts.engine, search_of(settings, parts, embeddings, parts.metrics), parts.clock
        )
        key = await audit_key(settings.audit, paths)
        trail = open_audit(stack, key, parts.store, parts.clock, parts.metrics)
        reconciler = Reconciler(
            worker=settings.jobs.name,
            store=parts.store,
            collections=parts.catalog,
            builder=builder,
            validator=validator,
            judge=judge,
            hooks=await open_hooks(stack, settings.rollouts, paths),
            witness=Witness(RolloutAudit(trail, parts.store), parts.clock),
            clock=parts.clock,
            note=noted,
        )
        await fire_schedules(stack, parts.store, parts.clock)
        yield Worker(runner, handlers, reconciler)
