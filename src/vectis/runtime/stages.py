"""The processes of one server: their commands, their order, and what they are handed. Keeping them running is supervisor.py's."""

import os
import sys
from pathlib import Path

import msgspec

from vectis.runtime.configuration.loading import Configuration
from vectis.runtime.paths import FolderLayout
from vectis.runtime.process import HANDED_KEY, ProcessSpec, ReadyLine, ReadySocket
from vectis.runtime.secret import Secret

READY = "process_ready"
"""What a child process writes to standard output when it serves."""

HAND_BACK_S = 4.0
"""What a worker gets to hand back what it did not finish."""


def stages(configuration: Configuration, listener: int) -> list[list[ProcessSpec]]:
    """The processes of a server, in the order of their start. API processes accept on the inherited socket `listener`."""
    settings, handed = configuration.settings, _handed(configuration)
    api = [
        ProcessSpec(
            f"api-{number}",
            (sys.executable, "-m", "vectis.entrypoints.rest.process", f"api-{number}", str(listener)),
            ReadyLine(READY),
            handed=handed,
            pass_fds=(listener,),
        )
        for number in range(1, settings.server.workers + 1)
    ]
    worker = worker_process("worker", configuration)
    if settings.engine.kind != "edge":
        return [[*api, worker]]
    return [[_engine(FolderLayout(Path(settings.server.data_dir)))], [*api, worker]]


def worker_process(name: str, configuration: Configuration) -> ProcessSpec:
    """A worker that the supervisor calls `name`; among all workers it is known by `jobs.name`."""
    return ProcessSpec(
        name,
        (sys.executable, "-m", "vectis.entrypoints.worker.process"),
        ReadyLine(READY),
        handed=_handed(configuration),
        stop_timeout_s=configuration.settings.jobs.stop_timeout_s + HAND_BACK_S,
    )


def inherited() -> Configuration:
    """The configuration that `vectis serve` handed to this child process. KeyError in a process that it did not start."""
    with os.fdopen(int(os.environ.pop(HANDED_KEY)), "rb") as pipe:
        return msgspec.json.decode(pipe.read(), type=Configuration, dec_hook=lambda kind, text: kind(text))


def _handed(configuration: Configuration) -> bytes:
    return msgspec.json.encode(configuration, enc_hook=Secret.reveal)


def _engine(paths: FolderLayout) -> ProcessSpec:
    socket = str(paths.engine_socket)
    argv = (sys.executable, "-m", "vectis.adapters.edge.process", "--folder", str(paths.engine), "--socket", socket)
    argv = (*argv, "--versions", str(paths.versions), "--parent-fd", "0")
    return ProcessSpec("engine", argv, ReadySocket(socket))
