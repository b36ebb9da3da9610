"""`vectis rollout`: change what an alias serves and look at it. Stepping in is rollout_verbs', watching rollout_watching's."""

from pathlib import Path
from time import time
from typing import Annotated, Any

import typer
from rich.text import Text

from vectis.entrypoints.cli.commands import rollout_verbs, rollout_watching
from vectis.entrypoints.cli.commands.rollout_verbs import RolloutId, show_standing
from vectis.entrypoints.cli.filling.rollout_source import fill_candidate, read_sources
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url, read_table
from vectis.entrypoints.cli.terminal.output import console, moment, notes, print_facts, print_json, print_table
from vectis.entrypoints.cli.terminal.rollout_view import collections, explained

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["rollout"][1])
app.add_typer(rollout_verbs.app)
app.add_typer(rollout_watching.app)


@app.command(
    epilog='Example: vectis rollout start rollout.json, which says {"alias": "docs", "change": "reembed", "build": ...}'
)
def start(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What to change, as docs/rollouts.md shows it: JSON or TOML.")
    ],
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Fill a fresh candidate from files or folders; NAME=PATH names them."),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Begin a rollout of an alias."""
    spec = read_table(file, "FILE")
    local = read_sources(spec, source) if source else None

    async def begin(api: Api) -> dict[str, Any]:
        if local is not None:
            await fill_candidate(api, spec, local, unix_time=int(time()))
        return await api.post("/rollouts", spec)

    began = ask(begin, url, data_dir, as_json=as_json)
    show_standing(began, as_json=as_json)
    _warn(began["warnings"], as_json=as_json)


@app.command(epilog="Example: vectis rollout estimate rollout.json")
def estimate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The same as for start.")],
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Say what building the candidate would take, from a sample and from what this server measured; begin nothing."""
    spec = read_table(file, "FILE")
    answer = ask(lambda api: api.post("/rollouts/estimate", spec), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    unknown, warnings = answer.pop("unknown"), answer.pop("warnings")
    print_facts({name: f"unknown: {unknown[name]}" if name in unknown else value for name, value in answer.items()})
    _warn(warnings, as_json=as_json)


@app.command("list", epilog="Example: vectis rollout list --alias docs")
def list_rollouts(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    alias: Annotated[str | None, typer.Option(help="Only those of this alias.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List rollouts, newest first."""
    answer = ask(lambda api: api.get("/rollouts", limit=limit, alias=alias), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    print_table(
        ("id", "alias", "phase", "step", "candidates", "began", "reason"),
        [
            (r["id"], r["alias"], r["phase"], r["step"], collections(r), moment(r["created_at"]), r["reason"])
            for r in answer["rollouts"]
        ],
    )


@app.command(epilog="Example: vectis rollout show 0f3c...")
def show(rollout: RolloutId, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show where a rollout stands."""
    show_standing(
        ask(lambda api: api.get("/rollouts" + path_of(rollout)), url, data_dir, as_json=as_json), as_json=as_json
    )


@app.command(epilog="Example: vectis rollout explain 0f3c...")
def explain(rollout: RolloutId, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show every change that a rollout went through, what was judged with which figures, and which answers differ most."""
    answer = ask(lambda api: api.get("/rollouts" + path_of(rollout) + "/explain"), url, data_dir, as_json=as_json)
    show_standing(answer, as_json=as_json)
    if as_json:
        return
    console.print(explained(answer))


def _warn(warnings: list[str], *, as_json: bool) -> None:
    if not as_json:
        for warning in warnings:
            notes.print(Text(f"warning: {warning}", "yellow"))
