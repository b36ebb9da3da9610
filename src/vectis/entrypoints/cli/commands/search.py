"""`vectis search`: one question, ranked answers."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import member
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.filters import read_filter
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Diversity, InCollection, Limit, Url
from vectis.entrypoints.cli.terminal.output import console, marked, notes, print_json

app = typer.Typer(add_completion=False)


class ModeChoice(StrEnum):
    """What ranks: as the collection's profile says, the same and a further model, plain fusion, or one kind of vector."""

    DEFAULT = "default"
    BEST = "best"
    HYDE = "hyde"
    HYBRID = "hybrid"
    DENSE = "dense"
    SPARSE = "sparse"


@app.command(
    help=COMMANDS["search"][1], epilog="Example: vectis search 'read a file line by line' --filter source=stdlib"
)
def search(
    query: Annotated[str, typer.Argument(help="The question.")],
    collection: InCollection = "docs",
    limit: Limit = None,
    mode: Annotated[ModeChoice, typer.Option(help="What ranks.")] = ModeChoice.DEFAULT,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", "-f", help="JSON filter or key=value; several must all hold.")
    ] = None,
    diversity: Diversity = 0.0,
    explain: Annotated[bool, typer.Option("--explain", help="Show how each score came about.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """One search, then its answer as text or as the server sent it."""
    body: dict[str, Any] = {"collection": collection, "query": query, "limit": limit, "mode": mode.value}
    if explain:
        body["explain"] = True
    if diversity:
        body["diversity"] = diversity
    if (wanted := read_filter(filters or [])) is not None:
        body["filter"] = wanted
    answer = ask(lambda api: api.post("/search", body), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        show(answer)


def show(answer: dict[str, Any]) -> None:
    """Ranked results for people."""
    results = answer["results"]
    for rank, result in enumerate(results, start=1):
        _show_result(rank, result)
    if fusion := {each["explanation"]["fusion"] for each in results if "explanation" in each}:
        notes.print(Text("; ".join(fusion), "magenta"))
    if unindexed := answer.get("unindexed_filter"):
        notes.print(Text(f"no payload index serves {', '.join(unindexed)}: every point was looked at", style="yellow"))
    if answer["degraded"]:
        notes.print(
            Text(
                f"degraded: answered without {', '.join(answer['degraded'])}; the server's log says why", style="yellow"
            )
        )
    stages = "".join(f", {name} {ms:.1f} ms" for name, ms in member(answer, "stages_ms").items())
    notes.print(
        Text(f"{len(results)} results from {answer['collection']} in {answer['took_ms']:.1f} ms{stages}", "dim")
    )


def _show_result(rank: int, result: dict[str, Any]) -> None:
    payload = member(result, "payload")
    line = Text.assemble((f"{rank:>2}  ", "bold"), (f"{result['score']:.4f}  ", "cyan"), (_heading(result), "bold"))
    console.print(line)
    source = " ".join(dict.fromkeys(str(part) for part in (payload.get("source"), payload.get("url")) if part))
    console.print(Text(f"            {result['id']}" + (f"  ({source})" if source else ""), "dim"))
    if result.get("snippet"):
        console.print(Text("            ") + marked(result["snippet"]))
    if "explanation" in result:
        console.print(Text(f"            {_explained(result['explanation'])}", "magenta"))


def _heading(result: dict[str, Any]) -> str:
    payload = member(result, "payload")
    path: list[str] = payload.get("heading_path") or []
    title = str(payload.get("title") or result["id"])
    return " > ".join(dict.fromkeys([title, *path]))


def _explained(explanation: dict[str, Any]) -> str:
    added = member(explanation, "contributions")
    places = [
        f"{name} rank {place['rank']} score {place['score']:.4f}"
        + (f" adds {added[name]:.4f}" if name in added else "")
        for name, place in explanation["prefetches"].items()
    ]
    return "; ".join(places)
