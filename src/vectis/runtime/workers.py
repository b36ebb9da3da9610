"""`vectis worker`: worker processes of their own, beside a server or on a host of their own, until they are told to end."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import structlog

from vectis.runtime.configuration.loading import Configuration
from vectis.runtime.log_sink import LogSink
from vectis.runtime.paths import FolderLayout
from vectis.runtime.server import log_change, with_log_format
from vectis.runtime.settings import LogSettings
from vectis.runtime.stages import worker_process
from vectis.runtime.supervisor import Supervisor
from vectis.runtime.telemetry import configure_logging

log = structlog.stdlib.get_logger("vectis.workers")


def run_workers(configuration: Configuration, processes: int) -> int:
    """Run so many workers, called `jobs.name` and a number, until SIGTERM or SIGINT; the exit status.

    One JSON line on standard output says when they take jobs. On SIGTERM they finish or hand back what they run.
    """
    settings = with_log_format(configuration.settings)
    name, paths, sink = settings.jobs.name, FolderLayout(Path(settings.server.data_dir)), LogSink()
    paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    sink.point(_own_file(settings.log, name), paths.folder)
    configure_logging(settings.log, process=name, sink=sink)
    called = [f"{name}-{number}" for number in range(1, processes + 1)]

    def say_ready() -> None:
        log.info("ready", workers=called)
        sys.stdout.write(msgspec.json.encode({"event": "ready", "workers": called, "pid": os.getpid()}).decode() + "\n")
        sys.stdout.flush()

    def named(own: str) -> Configuration:
        jobs = msgspec.structs.replace(settings.jobs, name=own)
        return msgspec.structs.replace(configuration, settings=msgspec.structs.replace(settings, jobs=jobs))

    stage = [worker_process(own, named(own)) for own in called]
    return asyncio.run(Supervisor([stage], on_change=log_change, on_ready=say_ready, write_line=sink.line).run())


def _own_file(settings: LogSettings, name: str) -> LogSettings:
    """`vectis.log` is the server's, which alone may turn it over: the workers of `name` write `vectis.NAME.log` beside it."""
    if not settings.file:
        return settings
    file = Path(settings.file)
    return msgspec.structs.replace(settings, file=str(file.with_name(f"{file.stem}.{name}{file.suffix}")))
