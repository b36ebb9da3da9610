"""`vectis serve`: settings from the command line, then the server itself."""

import os
from pathlib import Path
from typing import Annotated

import typer

from vectis.entrypoints.cli.exits import reporting
from vectis.entrypoints.cli.main import COMMANDS
from vectis.runtime import server
from vectis.runtime.configuration.loading import load, secret_keys
from vectis.runtime.lifeline import watch_parent

app = typer.Typer(add_completion=False)


@app.command(help=COMMANDS["serve"][1], epilog="Example: vectis serve --port 8080 --data-dir /srv/vectis")
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; other than loopback after `vectis init`.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of API processes.")] = None,
    uds: Annotated[Path | None, typer.Option(help="Listen on this Unix socket instead of a port.")] = None,
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="TOML or YAML file of settings.")
    ] = None,
) -> None:
    """Settings come from the command line, then from the environment, then from --config or the data folder's own file."""
    given = {"host": host, "port": port, "data_dir": data_dir, "workers": workers, "uds": uds}
    overrides = {f"server.{name}": str(value) for name, value in given.items() if value is not None}
    watch_parent()
    with reporting(as_json=False):
        environment = dict(os.environ)
        for key in secret_keys(environment):
            del os.environ[key]  # no process below inherits one
        raise typer.Exit(server.serve(load(config, overrides, environment), overrides, environment))
