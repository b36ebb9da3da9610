"""`vectis sessions`: who is logged in, and ending it."""

from typing import Annotated, Any

import typer

from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import moment, notes, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["sessions"][1])


@app.command("list", epilog="Example: vectis sessions list --principal maria")
def list_sessions(
    principal: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List and count open sessions, newest first."""
    answer = ask(lambda api: api.get("/sessions", principal=principal), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    print_table(
        ("id", "principal", "since", "refreshed", "expires"),
        [
            (s["id"], s["principal"], moment(s["created_at"]), moment(s["refreshed_at"]), moment(s["expires_at"]))
            for s in answer["sessions"]
        ],
    )
    notes.print(f"{answer['count']} open", style="dim")


@app.command(epilog="Example: vectis sessions end 7fKqT0c3Jm1xYw2sLr9ZbA")
def end(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session's id.")],
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """End a session: its tokens work no more."""
    _say(
        ask(lambda api: api.delete("/sessions" + path_of(session)), url, data_dir, as_json=as_json),
        f"ended {session}",
        as_json=as_json,
    )


@app.command("rotate-key", epilog="Example: vectis sessions rotate-key")
def rotate_key(as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Sign access tokens with another key from here on; tokens of before live their time out."""
    answer = ask(lambda api: api.post("/sessions/signing-key"), url, data_dir, as_json=as_json)
    _say(answer, f"access tokens are signed under {answer['kid']}", as_json=as_json)


def _say(answer: Any, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)
