"""`vectis roles`: what roles allow."""

from typing import Annotated, Any

import typer

from vectis.domain.access import Permission
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["roles"][1])
Name = Annotated[str, typer.Argument(help="Role.")]


@app.command("list", epilog="Example: vectis roles list")
def list_roles(as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """List roles and what they allow."""
    answer = ask(lambda api: api.get("/roles"), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    rows = [(r["name"], "built in" if r["built_in"] else "own", " ".join(r["permissions"])) for r in answer["roles"]]
    print_table(("name", "kind", "allows"), rows)


@app.command("set", epilog="Example: vectis roles set writer read_collections write_collections")
def set_role(
    name: Name,
    permissions: Annotated[list[Permission], typer.Argument(help="What it allows; replaces what it allowed before.")],
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Create or replace an own role."""
    _say(
        ask(
            lambda api: api.put("/roles" + path_of(name), {"permissions": [p.value for p in permissions]}),
            url,
            data_dir,
            as_json=as_json,
        ),
        f"{name} allows {' '.join(sorted(permissions))}",
        as_json=as_json,
    )


@app.command(epilog="Example: vectis roles delete writer")
def delete(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Delete an own role that nobody has."""
    _say(
        ask(lambda api: api.delete("/roles" + path_of(name)), url, data_dir, as_json=as_json),
        f"deleted {name}",
        as_json=as_json,
    )


def _say(answer: Any, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)
