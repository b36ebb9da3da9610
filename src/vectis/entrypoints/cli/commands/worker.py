"""`vectis worker`: settings from the command line, then worker processes until they are told to end."""

import os
import re
import socket
from pathlib import Path
from typing import Annotated

import typer

from vectis.entrypoints.cli.exits import reporting
from vectis.entrypoints.cli.main import COMMANDS
from vectis.runtime.configuration.loading import load, secret_keys
from vectis.runtime.lifeline import watch_parent
from vectis.runtime.workers import run_workers

app = typer.Typer(add_completion=False)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def _usable(name: str | None) -> str | None:
    if name is not None and not _NAME.fullmatch(name):
        raise typer.BadParameter("1 to 40 letters, digits, _, . and -, beginning with a letter or digit")
    return name


@app.command(help=COMMANDS["worker"][1], epilog="Example: vectis worker --workers 4 --max-jobs 20 --name indexer")
def worker(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Number of worker processes.")] = 1,
    max_jobs: Annotated[
        int | None, typer.Option(min=1, max=64, help="Jobs at a time in each process.  \\[default: jobs.concurrency]")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            callback=_usable, help="What the workers are called, before their numbers.  \\[default: the host's name]"
        ),
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option(help="Take jobs of this queue; repeat for more.  \\[default: all]")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The data folder, as of the server.")] = None,
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="TOML or YAML file of settings.")
    ] = None,
) -> None:
    """No two live workers share a name. With the embedded engine they run beside the server, on its data folder."""
    given = {
        "server.data_dir": data_dir,
        "jobs.name": name or socket.gethostname()[:32],
        "jobs.concurrency": max_jobs,
        "jobs.queues": ",".join(queue or []) or None,
    }
    overrides = {key: str(value) for key, value in given.items() if value is not None}
    watch_parent()
    with reporting(as_json=False):
        environment = dict(os.environ)
        for key in secret_keys(environment):
            del os.environ[key]  # no process below inherits one
        raise typer.Exit(run_workers(load(config, overrides, environment), workers))
