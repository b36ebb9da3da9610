"""`vectis serve`: holds the data folder, listens, and keeps the processes of the server running until it is told to end."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from vectis.domain.errors import InvalidSetting
from vectis.runtime.configuration.applying import ConfigurationChanges
from vectis.runtime.configuration.link import answering
from vectis.runtime.configuration.loading import Configuration
from vectis.runtime.configuration.versions import versioned_file
from vectis.runtime.data_folder import hold
from vectis.runtime.local_token import make_local_token
from vectis.runtime.log_sink import LogSink
from vectis.runtime.paths import FolderLayout
from vectis.runtime.process import ProcessSpec
from vectis.runtime.settings import LOOPBACK, ServerSettings, Settings
from vectis.runtime.stages import stages
from vectis.runtime.supervisor import ProcessReport, ProcessState, Supervisor
from vectis.runtime.telemetry import configure_logging

BACKLOG = 2048
SUPERVISOR = "supervisor"

log = structlog.stdlib.get_logger("vectis.server")


def serve(configuration: Configuration, overrides: Mapping[str, str], environment: Mapping[str, str]) -> int:
    """Run a server until SIGTERM or SIGINT; the exit status. One JSON line on standard output says when it is ready.

    `overrides` and `environment` are what `configuration` was made of besides its file: a changed file is read with them.
    Raises DataFolderInUse, InvalidSetting, DiskFull before anything is started.
    """
    settings, sink = configuration.settings, LogSink()
    configure_logging(with_log_format(settings).log, process=SUPERVISOR, sink=sink)
    for warning in configuration.warnings:
        log.warning("configuration", detail=warning)
    listener, url = _listen(settings.server)
    paths = FolderLayout(Path(settings.server.data_dir))
    with listener, hold(paths.folder, url) as lock, _socket_folder(paths.run):
        make_local_token(paths.folder)
        sink.point(settings.log, paths.folder)

        def arranged(chosen: Configuration) -> list[list[ProcessSpec]]:
            shown = msgspec.structs.replace(chosen, settings=with_log_format(chosen.settings))
            return _inheriting(stages(shown, listener.fileno()), lock)

        async def replace(chosen: Configuration, insist: bool) -> str:
            try:
                sink.point(chosen.settings.log, paths.folder)
            except InvalidSetting as error:
                return error.message
            configure_logging(with_log_format(chosen.settings).log, process=SUPERVISOR, sink=sink)
            return await supervisor.replace(arranged(chosen), insist=insist)

        def say_ready() -> None:
            ready.set()
            _say_ready(url)

        ready = asyncio.Event()
        supervisor = Supervisor(arranged(configuration), on_change=log_change, on_ready=say_ready, write_line=sink.line)
        changes = ConfigurationChanges(
            configuration,
            versioned_file(configuration.file, paths),
            overrides=overrides,
            environment=environment,
            replace=replace,
            url=url,
            ready=ready,
        )
        return asyncio.run(_run(supervisor, changes, paths))


async def _run(supervisor: Supervisor, changes: ConfigurationChanges, paths: FolderLayout) -> int:
    async with answering(paths.supervisor_socket, changes.answer):
        return await supervisor.run()


@contextmanager
def _socket_folder(folder: Path) -> Generator[None]:
    """An empty folder for sockets that only this user can enter, while the block runs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise InvalidSetting(
            f"{folder} belongs to someone else or is open to others; remove it, or choose a shorter --data-dir",
            key="server.data_dir",
        )
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listen(server: ServerSettings) -> tuple[socket.socket, str]:
    """The listening socket, which every API process inherits: a restart of one loses no connection."""
    if server.uds:
        path = Path(server.uds)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address: str | tuple[str, int] = str(path)
        url = f"unix:{path.resolve()}"
    else:
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        address, url = (server.host, server.port), ""
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise InvalidSetting(
            f"cannot listen on {server.uds or f'{server.host}:{server.port}'}: {error.strerror}; "
            "choose another with --port (0 takes a free one)",
            key="server.port",
        ) from None
    if server.uds or server.host in LOOPBACK:
        listener.listen(BACKLOG)  # for others an API process listens, once it has seen that access control is on
    listener.set_inheritable(True)
    if not url:
        host = f"[{server.host}]" if ":" in server.host else server.host
        url = f"http://{host}:{listener.getsockname()[1]}"
    return listener, url


def _inheriting(specs: list[list[ProcessSpec]], lock: int) -> list[list[ProcessSpec]]:
    """Every process keeps the data folder's lock open, so that it is free only when the last of them is gone."""
    return [[msgspec.structs.replace(spec, pass_fds=(*spec.pass_fds, lock)) for spec in stage] for stage in specs]


def with_log_format(settings: Settings) -> Settings:
    """Children write to a pipe; what a terminal wants is decided here, where the terminal is."""
    if settings.log.format != "auto":
        return settings
    chosen = "console" if sys.stderr.isatty() and not settings.log.file else "json"
    return msgspec.structs.replace(settings, log=msgspec.structs.replace(settings.log, format=chosen))


def log_change(report: ProcessReport) -> None:
    """Tell the log what became of a process."""
    write = log.error if report.state is ProcessState.FAILED else log.info
    write(
        "process",
        name=report.name,
        state=report.state.value,
        pid=report.pid,
        restarts=report.restarts,
        detail=report.detail,
    )


def _say_ready(url: str) -> None:
    log.info("ready", url=url)
    sys.stdout.write(msgspec.json.encode({"event": "ready", "url": url, "pid": os.getpid()}).decode() + "\n")
    sys.stdout.flush()
