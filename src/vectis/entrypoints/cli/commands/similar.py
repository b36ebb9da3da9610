"""`vectis similar`: what is like some documents and not like others."""

from typing import Annotated, Any

import typer

from vectis.entrypoints.cli.commands.search import show
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.filters import read_filter
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Diversity, InCollection, Limit, Url
from vectis.entrypoints.cli.terminal.output import print_json

app = typer.Typer(add_completion=False)


@app.command(help=COMMANDS["similar"][1], epilog="Example: vectis similar guides/intro.md --unlike guides/old.md")
def similar(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Documents to find the like of.")] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="A text to find the like of.")] = None,
    unlike: Annotated[list[str] | None, typer.Option("--unlike", help="A document to keep away from.")] = None,
    collection: InCollection = "docs",
    limit: Limit = None,
    diversity: Diversity = 0.0,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="JSON filter or key=value; several must all hold.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Examples by id and by text count alike."""
    positive = [{"id": id} for id in ids or []] + [{"text": each} for each in text or []]
    if not positive:
        raise typer.BadParameter("give the id of a document, or --text")
    body: dict[str, Any] = {"collection": collection, "positive": positive, "limit": limit, "diversity": diversity}
    body["negative"] = [{"id": id} for id in unlike or []]
    if (wanted := read_filter(filters or [])) is not None:
        body["filter"] = wanted
    answer = ask(lambda api: api.post("/similar", body), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        show(answer)
