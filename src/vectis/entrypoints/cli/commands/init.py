"""`vectis init`: turns access control on for a data folder."""

import os
from pathlib import Path
from typing import Annotated

import typer

from vectis.entrypoints.cli.exits import perform, reporting
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir
from vectis.entrypoints.cli.terminal.output import notes, print_json
from vectis.runtime.configuration.loading import load
from vectis.runtime.wiring.local_acts import init_access

app = typer.Typer(add_completion=False)


@app.command(help=COMMANDS["init"][1], epilog="Example: vectis init --data-dir /srv/vectis --json")
def init(
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="TOML or YAML file of settings.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Make the principal `admin` and show its key, this once. A server that runs wants credentials a second later."""
    with reporting(as_json=as_json):
        settings = load(config, {"server.data_dir": str(data_dir)}, os.environ).settings
    key = perform(init_access(settings), as_json=as_json)
    if as_json:
        print_json({"admin_key": key})
    else:
        typer.echo(key)
        notes.print("the admin's key, shown this once: keep it where secrets are kept", style="dim")
