"""`vectis feedback`: what a user did with a result of an answer, or thought of it."""

from typing import Annotated, Any

import typer

from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import print_facts, print_json

app = typer.Typer(add_completion=False)


@app.command(help=COMMANDS["feedback"][1], epilog="Example: vectis feedback kq3T... --rating 0.8 guides/intro.md")
def feedback(
    query_id: Annotated[str, typer.Argument(metavar="QUERY_ID", help="X-Vectis-Query-Id of the answer.")],
    click: Annotated[
        str | None, typer.Option("--click", metavar="RESULT", help="The id of a result that was opened.")
    ] = None,
    rating: Annotated[
        tuple[float, str] | None,
        typer.Option("--rating", metavar="VALUE RESULT", help="How good a result was, 0 (useless) to 1 (just right)."),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """One opinion, then which variant it counts for."""
    body: dict[str, Any] = {"query_id": query_id, "kind": "click", "result_id": click}
    if (click is None) == (rating is None):
        raise typer.BadParameter("give either --click or --rating")
    if rating is not None:
        body |= {"kind": "rating", "result_id": rating[1], "value": rating[0]}
    answer = ask(lambda api: api.post("/feedback", body), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        print_facts(answer)
