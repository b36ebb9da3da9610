"""`vectis rollout`: change what an alias serves, look at it, and step in."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from vectis.domain.errors import InvalidInput
from vectis.entrypoints.cli.api import Api, path_of
from vectis.entrypoints.cli.connection import ask, connect
from vectis.entrypoints.cli.exits import perform
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.output import console, moment, print_facts, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["rollout"][1])
RolloutId = Annotated[str, typer.Argument(metavar="ID", help="The rollout's id.")]


@app.command(
    epilog='Example: vectis rollout start rollout.json, which says {"alias": "docs", "change": "reembed", "build": ...}'
)
def start(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to change, as docs/rollouts.md shows it: JSON.")],
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Begin a rollout of an alias."""

    async def ask() -> Any:
        spec = _read(file)
        async with connect(url, data_dir) as api:
            return await api.post("/rollouts", spec)

    _show_one(perform(ask(), as_json=as_json), as_json=as_json)


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
        ("id", "alias", "phase", "step", "candidate", "began", "reason"),
        [
            (r["id"], r["alias"], r["phase"], r["step"], r["candidate"], moment(r["created_at"]), r["reason"])
            for r in answer["rollouts"]
        ],
    )


@app.command(epilog="Example: vectis rollout show 0f3c...")
def show(rollout: RolloutId, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show where a rollout stands."""
    _show_one(ask(lambda api: api.get("/rollouts" + path_of(rollout)), url, data_dir, as_json=as_json), as_json=as_json)


@app.command(epilog="Example: vectis rollout explain 0f3c...")
def explain(rollout: RolloutId, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show every change that a rollout went through, and what was judged with which figures."""
    answer = ask(lambda api: api.get("/rollouts" + path_of(rollout) + "/explain"), url, data_dir, as_json=as_json)
    _show_one(answer, as_json=as_json)
    if as_json:
        return
    for each in answer["transitions"]:
        console.print(Text(f"{moment(each['at'])}  {each['phase']} at {each['step']}  {each['by']}  {each['reason']}"))
    print_table(
        ("metric", "verdict", "stable:", "candidate:", "why"),
        [
            (m["name"], m["verdict"], m["stable"], m["candidate"], m["reason"])
            for kept in answer["judgements"]
            for m in kept["judgement"]["metrics"]
        ],
    )


@app.command(epilog="Example: vectis rollout change 0f3c... undo --reason 'prices are missing'")
def change(
    rollout: RolloutId,
    verb: Annotated[
        str, typer.Argument(help="pause, resume, promote, promote_full, abort, retry, extend, skip or undo.")
    ],
    reason: Annotated[str, typer.Option(help="Why; promote, promote_full and skip need it.")] = "",
    seconds: Annotated[float | None, typer.Option(help="For extend: by how much.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Step in: pause, resume, promote, abort, retry, extend, skip or undo."""

    async def work(api: Api) -> Any:
        path = "/rollouts" + path_of(rollout) + path_of(verb)
        return await api.post(path, {"reason": reason, "by_s": seconds})

    _show_one(ask(work, url, data_dir, as_json=as_json), as_json=as_json)


def _read(file: Path) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", field="FILE") from None
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{file} is not JSON: {error}", field="FILE") from None


def _show_one(rollout: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(rollout)
        return
    names = ("id", "alias", "phase", "step", "stage", "stable", "candidate", "promoted", "attempt", "reason")
    print_facts({name: rollout[name] for name in names} | {"since": moment(rollout["since"])})
