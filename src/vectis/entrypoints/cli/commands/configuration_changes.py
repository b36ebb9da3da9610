"""The commands of `vectis config` that change the active configuration, on the server's own machine, running or not."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from vectis.domain.errors import VectisError
from vectis.entrypoints.cli.exits import FAILED, perform, reporting
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir
from vectis.entrypoints.cli.terminal.output import moment, print_json, print_table
from vectis.runtime.configuration.applying import resolved_with, wanted
from vectis.runtime.configuration.link import ApplyRequest, AskChange, ChangeReport, SupervisorLink
from vectis.runtime.configuration.loading import active_file, load, overrides_for
from vectis.runtime.configuration.sources import from_text, template_named
from vectis.runtime.configuration.versions import ConfigurationVersion, versioned_file
from vectis.runtime.data_folder import hold, holder
from vectis.runtime.local_account import local_account
from vectis.runtime.paths import FolderLayout
from vectis.runtime.wiring.local_acts import LocalAct, local_act

Message = Annotated[str, typer.Option("--message", "-m", help="What changes and why.")]
HealthTimeout = Annotated[
    float, typer.Option("--health-timeout", min=1, max=600, help="Seconds to become healthy before it is taken back.")
]
HEALTH_TIMEOUT_S = 30.0


def apply(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="TOML or YAML file of settings.")],
    message: Message = "",
    health_timeout: HealthTimeout = HEALTH_TIMEOUT_S,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Make a file the active configuration. A running server changes to it at once, and goes back when it is not healthy."""
    with reporting(as_json=as_json):
        request = ApplyRequest(local_account(), message, file.read_text("utf-8"), file.suffix)
    change(request, health_timeout, data_dir, as_json=as_json)


def apply_template(
    name: Annotated[str, typer.Argument(help="Template.")],
    health_timeout: HealthTimeout = HEALTH_TIMEOUT_S,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Make a template the active configuration."""
    with reporting(as_json=as_json):
        known, text = template_named(name)
    if known != name:
        typer.echo(f"warning: the template {name} is called {known} now", err=True)
    request = ApplyRequest(local_account(), f"template {known}", text)
    change(request, health_timeout, data_dir, as_json=as_json)


def rollback(
    version: Annotated[int | None, typer.Argument(help="Version; else the one applied before the active one.")] = None,
    message: Message = "",
    health_timeout: HealthTimeout = HEALTH_TIMEOUT_S,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Go back to an earlier version, in the same way as one is applied."""
    request = ApplyRequest(local_account(), message, number=version)
    change(request, health_timeout, data_dir, as_json=as_json)


def history(as_json: AsJson = False, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """List every version that was applied or taken back, newest first."""
    paths = FolderLayout(data_dir)

    async def running_file() -> str:
        return (await SupervisorLink(paths.supervisor_socket).change(AskChange())).file

    with reporting(as_json=as_json):
        name = perform(running_file(), as_json=as_json) if holder(data_dir) else str(active_file(data_dir) or "")
        file = versioned_file(name, paths)
        versions, active = file.versions(), file.active()
    if as_json:
        print_json({"file": str(file.file), "active": active, "versions": msgspec.to_builtins(versions)})
        return
    print_table(
        ("version:", "when", "who", "outcome", "description"),
        [
            (v.number, moment(v.at.isoformat()), v.author, _outcome(v, active), v.reason or v.description)
            for v in versions
        ],
    )


def change(request: ApplyRequest, health_timeout: float, data_dir: Path, *, as_json: bool) -> None:
    """Apply to the running server, or to the file alone when none runs; say what became of it."""
    request = msgspec.structs.replace(request, health_timeout_s=health_timeout, trusted=True)
    with reporting(as_json=as_json):
        running = holder(data_dir) is not None
    done = perform(_change(request, FolderLayout(data_dir), running=running), as_json=as_json)
    if as_json:
        print_json({"running": running, **msgspec.to_builtins(done)})
    else:
        _say(done, running=running)
    if done.state != "applied":
        raise typer.Exit(FAILED)


async def _change(request: ApplyRequest, paths: FolderLayout, *, running: bool) -> ChangeReport:
    before = versioned_file(str(active_file(paths.folder) or ""), paths).active()
    async with _kept(paths, running=running) as act:
        done = await _change_running(request, paths) if running else _change_file(request, paths)
        act.before, act.failure = {"version": before}, done.detail
        act.after = {"version": done.number, "text": request.text, "description": request.description}
    return done


@asynccontextmanager
async def _kept(paths: FolderLayout, *, running: bool) -> AsyncGenerator[LocalAct]:
    """Keep the change in the audit, if that can be reached: a configuration must be mendable while its store is away."""
    async with AsyncExitStack() as stack:
        act = LocalAct()
        try:
            settings = load(active_file(paths.folder), {"server.data_dir": str(paths.folder)}, os.environ).settings
            if settings.store.url.reveal() or paths.control.exists():
                act = await stack.enter_async_context(local_act(settings, "apply_configuration"))
            elif running:
                typer.echo("warning: not kept in the audit: the server's DATABASE_URL is not known here", err=True)
        except VectisError as error:
            typer.echo(f"warning: not kept in the audit: {error.message}", err=True)
        yield act


async def _change_running(request: ApplyRequest, paths: FolderLayout) -> ChangeReport:
    link = SupervisorLink(paths.supervisor_socket)
    await link.change(request)
    return await link.change(AskChange(until_done=True))


def _change_file(request: ApplyRequest, paths: FolderLayout) -> ChangeReport:
    """No server may start in between: it would run what is not the file any more."""
    with hold(paths.folder, "(its configuration is being changed)"):
        file = versioned_file(str(active_file(paths.folder) or ""), paths)
        text, suffix, description = wanted(request, file)
        file.take_format(suffix)
        overrides = overrides_for(paths.folder, os.environ)
        resolved_with(from_text(text, suffix, f"file {file.file}"), file, overrides, os.environ).checked()
        file.keep_point(request.author)
        return ChangeReport("applied", file.keep(request.author, description, text), file=str(file.file))


def _outcome(version: ConfigurationVersion, active: int | None) -> str:
    return "active" if version.number == active else version.outcome


def _say(done: ChangeReport, *, running: bool) -> None:
    if done.state != "applied":
        typer.echo(f"taken back (version {done.number} in the history): {done.detail}", err=True)
        return
    typer.echo(f"version {done.number} is active" + ("" if running else "; it takes effect with the next start"))
    for line in done.unused:
        typer.echo(f"no effect: {line}", err=True)
