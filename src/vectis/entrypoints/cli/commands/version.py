"""`vectis version`."""

import platform

import typer

from vectis import __version__
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.terminal.options import AsJson
from vectis.entrypoints.cli.terminal.output import print_json

app = typer.Typer(add_completion=False)


@app.command(help=COMMANDS["version"][1], epilog="Example: vectis version --json")
def version(as_json: AsJson = False) -> None:
    """The version of this command line; that of a server is in its /health."""
    if as_json:
        print_json({"vectis": __version__, "python": platform.python_version()})
    else:
        typer.echo(f"vectis {__version__} (Python {platform.python_version()})")
