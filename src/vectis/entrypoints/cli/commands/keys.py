"""`vectis keys`: what keys there are, making, revoking and rotating them, all of them in an emergency."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from vectis.access.service import RotatedKey
from vectis.entrypoints.cli.exits import perform, reporting
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url, Yes, confirm
from vectis.entrypoints.cli.terminal.output import moment, notes, print_json, print_table
from vectis.runtime.configuration.loading import load
from vectis.runtime.wiring.local_acts import rotate_all_keys

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["keys"][1])
Principal = Annotated[str, typer.Argument(help="Person or service.")]
Patterns = Annotated[list[str] | None, typer.Option("--collections", "-c", help="Names or patterns such as docs-*.")]


@app.command("list", epilog="Example: vectis keys list --principal app")
def list_keys(
    principal: Annotated[str | None, typer.Option(help="Only the keys of this one.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List keys, newest first; their texts are kept nowhere."""
    answer = ask(lambda api: api.get("/keys", principal=principal), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    print_table(
        ("id", "principal", "created", "expires", "last used", "revoked", "narrowed to"),
        [
            (
                k["id"],
                k["principal"],
                moment(k["created_at"]),
                moment(k["expires_at"]),
                moment(k["last_used_at"]),
                moment(k["revoked_at"]),
                _narrowing(k),
            )
            for k in answer["keys"]
        ],
    )


@app.command(epilog="Example: vectis keys create app --role viewer --collections 'docs-*' --days 90")
def create(
    principal: Principal,
    role: Annotated[str | None, typer.Option(help="What the key can do; makes the service if there is none.")] = None,
    collections: Patterns = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    addresses: Annotated[list[str] | None, typer.Option("--address", help="Range that it works from.")] = None,
    tenant: Annotated[str, typer.Option(help="Tenant of a service that is made.")] = "",
    contact: Annotated[str, typer.Option(help="Whom to tell, of a service that is made.")] = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Make a key and show it, this once. With --role a service of that name is made when there is none."""
    body: dict[str, Any] = {"principal": principal, "addresses": addresses or [], "tenant": tenant, "contact": contact}
    if role is not None:
        body["role"] = role
    if collections:
        body["collections"] = collections
    if days is not None:
        body["expires_at"] = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    _show_made(ask(lambda api: api.post("/keys", body), url, data_dir, as_json=as_json), as_json=as_json)


@app.command(epilog="Example: vectis keys revoke 4hTq9ZbK2mXc")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's public id.")],
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Revoke a key for good."""
    answer = ask(lambda api: api.delete("/keys" + path_of(key)), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"revoked {key}")


@app.command(epilog="Example: vectis keys rotate app; vectis keys rotate --all --json")
def rotate(
    principal: Annotated[str | None, typer.Argument(help="Person or service.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="The emergency: everybody's, on --data-dir itself.")] = False,
    yes: Yes = False,
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="With --all: file of settings.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Revoke the keys of a principal and make it another, with the same scope, addresses and end.

    With --all: those of everybody, also when no key is left and whether a server runs or not. Sessions end, secrets are renewed,
    and each active principal is listed with whom to tell and its key, shown this once.
    """
    if (principal is None) != everybody:
        raise typer.BadParameter("give PRINCIPAL, or --all")
    if everybody and url is not None:
        raise typer.BadParameter("--all works on the data folder: run it where the server keeps it")
    if principal is not None:
        _rotate_one(principal, as_json=as_json, url=url, data_dir=data_dir)
        return
    confirm("Revoke every key, end every session and make everybody another key?", yes=yes or as_json)
    with reporting(as_json=as_json):
        settings = load(config, {"server.data_dir": str(data_dir)}, os.environ).settings
    _show_all(perform(rotate_all_keys(settings), as_json=as_json), as_json=as_json)


def _rotate_one(principal: str, *, as_json: bool, url: str | None, data_dir: Path) -> None:
    _show_made(
        ask(lambda api: api.post(f"/users{path_of(principal)}/keys/rotate"), url, data_dir, as_json=as_json),
        as_json=as_json,
    )


def _show_all(rotated: Sequence[RotatedKey], *, as_json: bool) -> None:
    rows = [(each.principal.name, each.principal.contact, each.text) for each in rotated]
    if as_json:
        print_json({"rotated": [{"principal": name, "contact": contact, "key": key} for name, contact, key in rows]})
    else:
        print_table(("principal", "tell", "key"), rows)
        notes.print("the keys are shown this once; every key and token from before works no more", style="dim")


def _show_made(made: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        typer.echo(made["key"])
        notes.print(f"the key of {made['principal']}, shown this once: keep it where secrets are kept", style="dim")


def _narrowing(key: dict[str, Any]) -> str:
    parts = [*(key["permissions"] or ()), *(key["collections"] or ()), *key["addresses"]]
    return " ".join(parts)
