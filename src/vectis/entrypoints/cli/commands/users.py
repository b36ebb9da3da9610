"""`vectis users`: people and services, their grants, passwords and whether they may call."""

import sys
from typing import Annotated, Any

import typer

from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url, Yes, confirm
from vectis.entrypoints.cli.terminal.output import moment, print_facts, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["users"][1])
Name = Annotated[str, typer.Argument(help="Person or service.")]
Grants = Annotated[
    list[str] | None,
    typer.Option("--grant", "-g", help="ROLE, or ROLE:PATTERN,PATTERN for some collections; replaces those before."),
]


@app.command("list", epilog="Example: vectis users list --json")
def list_users(as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """List people and services."""
    answer = ask(lambda api: api.get("/users"), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    print_table(
        ("name", "kind", "status", "tenant", "grants", "contact"),
        [(u["name"], u["kind"], u["status"], u["tenant"], _shown(u["grants"]), u["contact"]) for u in answer["users"]],
    )


@app.command(epilog="Example: vectis users show maria")
def show(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show one."""
    _show(ask(lambda api: api.get("/users" + path_of(name)), url, data_dir, as_json=as_json), as_json=as_json)


@app.command(epilog="Example: vectis users create maria --grant viewer --grant admin:docs-*")
def create(
    name: Name,
    grants: Grants = None,
    service: Annotated[bool, typer.Option("--service", help="A program, which has keys and no password.")] = False,
    tenant: Annotated[str, typer.Option(help="Tenant that it belongs to.")] = "",
    contact: Annotated[str, typer.Option(help="Whom to tell in an emergency.")] = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Make a person, or a service; `vectis keys create` makes its key."""
    body = {
        "name": name,
        "kind": "service" if service else "person",
        "grants": [_grant(text) for text in grants or ()],
        "tenant": tenant,
        "contact": contact,
    }
    _show(ask(lambda api: api.post("/users", body), url, data_dir, as_json=as_json), as_json=as_json)


@app.command(epilog="Example: vectis users change maria --grant operator --contact maria@example.org")
def change(
    name: Name,
    grants: Grants = None,
    contact: Annotated[str | None, typer.Option(help="Whom to tell in an emergency.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Replace the grants, or the contact."""
    body: dict[str, Any] = {} if contact is None else {"contact": contact}
    if grants:
        body["grants"] = [_grant(text) for text in grants]
    _change(name, body, as_json=as_json, url=url, data_dir=data_dir)


@app.command(epilog="Example: vectis users disable maria")
def disable(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Let none of its keys work, and end its sessions."""
    _change(name, {"status": "disabled"}, as_json=as_json, url=url, data_dir=data_dir)


@app.command(epilog="Example: vectis users enable maria")
def enable(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Let its keys work again."""
    _change(name, {"status": "active"}, as_json=as_json, url=url, data_dir=data_dir)


@app.command(epilog="Example: vectis users password maria < password.txt")
def password(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Set a person's password: asked for, or the first line of standard input. Its sessions end."""
    if sys.stdin.isatty():
        secret = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    _show(
        ask(
            lambda api: api.put(f"/users{path_of(name)}/password", {"password": secret}), url, data_dir, as_json=as_json
        ),
        as_json=as_json,
    )


@app.command(epilog="Example: vectis users delete maria --yes")
def delete(
    name: Name, yes: Yes = False, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER
) -> None:
    """Remove a person or service with its keys and sessions."""
    confirm(f"Remove {name} with its keys?", yes=yes)
    answer = ask(lambda api: api.delete("/users" + path_of(name)), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"removed {name}")


def _change(name: str, body: dict[str, Any], *, as_json: bool, url: str | None, data_dir: DataDir) -> None:
    _show(ask(lambda api: api.patch("/users" + path_of(name), body), url, data_dir, as_json=as_json), as_json=as_json)


def _show(user: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(user)
        return
    facts = {key: user[key] for key in ("name", "kind", "status", "tenant", "contact")}
    print_facts({**facts, "grants": _shown(user["grants"]), "created": moment(user["created_at"])})


def _grant(text: str) -> dict[str, Any]:
    role, colon, patterns = text.partition(":")
    return {"role": role, "collections": patterns.split(",")} if colon else {"role": role}


def _shown(grants: list[dict[str, Any]]) -> str:
    return " ".join(
        g["role"] if g["collections"] == ["*"] else f"{g['role']}:{','.join(g['collections'])}" for g in grants
    )
