"""`vectis cache`: what the caches of a server hold and save."""

from typing import Annotated

import typer

from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["cache"][1])


@app.command(epilog="Example: vectis cache stats")
def stats(as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show what each cache holds and did, over all processes of the server since each began."""
    answer = ask(lambda api: api.get("/cache"), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    rows = [
        (cache, name, f"{round(value, 3):,}".removesuffix(".0"))
        for cache, figures in answer.items()
        for name, value in figures.items()
    ]
    print_table(("cache", "figure", "value:"), rows)


@app.command(epilog="Example: vectis cache warm --count 50")
def warm(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="How many questions.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Compute the answers to the most frequent recent questions that are not kept now."""
    answer = ask(lambda api: api.post("/cache/warm", {"count": count}, timeout_s=None), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"{answer['warmed']} answers computed")


@app.command(epilog="Example: vectis cache clear --embeddings")
def clear(
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Vectors of texts too; they cost time again.")
    ] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Forget all kept answers, in every process and in the shared tier."""
    answer = ask(lambda api: api.post("/cache/clear", {"embeddings": embeddings}), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    typer.echo("answers forgotten" if answer["answers"] else "no answers are kept")
    if embeddings:
        typer.echo(f"{answer['embeddings']} vectors forgotten")
