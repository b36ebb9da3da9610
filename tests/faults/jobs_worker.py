"""A worker process of the crash tests: runs jobs that sleep a little and leave marks, until it is killed or told to stop."""

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path

from vectis.adapters.durable.runner import LeaseRunner
from vectis.adapters.durable.seat import Seat
from vectis.adapters.sql.store import open_store
from vectis.adapters.system.clock import SystemClock
from vectis.domain.errors import Conflict
from vectis.domain.jobs import Job, JobProgress
from vectis.domain.ports.jobs import JobContext


async def main(folder: Path, name: str, lease_s: float) -> None:
    store = await open_store(f"sqlite:///{folder}/control.sqlite")
    runner = LeaseRunner(store, Seat(name, lease_s=lease_s), SystemClock(), lambda *_: None)
    marks = os.open(folder / "marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def work(job: Job, context: JobContext) -> None:
        lock = os.open(folder / f"{job.id}.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.write(marks, f"overlap {job.id}\n".encode())
            raise
        os.write(marks, f"begin {job.id}\n".encode())
        for step in range(5):
            await asyncio.sleep(job.payload["step_s"])
            await context.report(JobProgress(done=step + 1, total=5, unit="steps"))
        os.write(marks, f"end {job.id}\n".encode())
        os.close(lock)

    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []
    loop.add_signal_handler(signal.SIGTERM, lambda: stopping.append(asyncio.create_task(runner.stop())))
    try:
        await runner.run({"work": work})
    except Conflict as error:
        sys.exit(str(error))
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
