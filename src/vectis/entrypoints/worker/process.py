"""The worker process: `python -m vectis.entrypoints.worker.process`, started by the server."""

import asyncio
import signal

from vectis.runtime.lifeline import watch_parent
from vectis.runtime.stages import READY, inherited
from vectis.runtime.telemetry import configure_logging, end_in_one_line
from vectis.runtime.wiring.worker import open_worker

ORPHAN_GRACE_S = 2.0
"""When the server is gone so is the engine: a job waits for it in vain, and the next worker begins it again."""


async def _main() -> None:
    settings = inherited().settings
    configure_logging(settings.log, process=settings.jobs.name)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch_parent(ORPHAN_GRACE_S)
    async with open_worker(settings) as worker:
        await worker.runner.announce()
        running = asyncio.ensure_future(worker.runner.run(worker.handlers))
        reconciling = asyncio.ensure_future(worker.reconciler.run(stop))
        print(READY, flush=True)
        await asyncio.wait({running, reconciling}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await worker.runner.stop()
        await asyncio.gather(running, reconciling)


if __name__ == "__main__":
    with end_in_one_line():
        asyncio.run(_main())
