"""The processes of one server: their commands, their order, and what they are handed. Keeping them running is supervisor.py's."""

import os
import sys
from pathlib import Path

import msgspec

from vectis.runtime.paths import FolderLayout
from vectis.runtime.process import ProcessSpec, ReadyLine, ReadySocket
from vectis.runtime.settings import Settings

SETTINGS_KEY = "_VECTIS_SETTINGS"
"""Hands the resolved settings to child processes; not a setting itself."""

READY = "process_ready"
"""What a child process writes to standard output when it serves."""


def stages(settings: Settings, listener: int) -> list[list[ProcessSpec]]:
    """The processes of a server, in the order of their start. API processes accept on the inherited socket `listener`."""
    environment = {SETTINGS_KEY: msgspec.json.encode(settings).decode()}
    api = [
        ProcessSpec(
            f"api-{number}",
            (sys.executable, "-m", "vectis.entrypoints.rest.process", f"api-{number}", str(listener)),
            ReadyLine(READY),
            env=environment,
            pass_fds=(listener,),
        )
        for number in range(1, settings.server.workers + 1)
    ]
    worker = ProcessSpec(
        "worker",
        (sys.executable, "-m", "vectis.entrypoints.worker.process"),
        ReadyLine(READY),
        env=environment,
    )
    if settings.engine.kind != "edge":
        return [[*api, worker]]
    return [[_engine(FolderLayout(Path(settings.server.data_dir)))], [*api, worker]]


def inherited_settings() -> Settings:
    """The settings that `vectis serve` handed to this child process. KeyError in a process that it did not start."""
    return msgspec.json.decode(os.environ.pop(SETTINGS_KEY), type=Settings)


def _engine(paths: FolderLayout) -> ProcessSpec:
    socket = str(paths.engine_socket)
    argv = (sys.executable, "-m", "vectis.adapters.edge.process", "--folder", str(paths.engine), "--socket", socket)
    return ProcessSpec("engine", (*argv, "--parent-fd", "0"), ReadySocket(socket))
