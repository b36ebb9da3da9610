"""`vectis ingest`: files and folders into a collection, again and again."""

from typing import Annotated, Any

import msgspec
import typer

from vectis.entrypoints.cli.exits import FAILED
from vectis.entrypoints.cli.filling.local import read_local
from vectis.entrypoints.cli.filling.synchronize import Synchronized, ensure_collection, synchronize
from vectis.entrypoints.cli.filling.upload import tell
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, InCollection, Url
from vectis.entrypoints.cli.terminal.output import notes, print_json
from vectis.entrypoints.cli.terminal.progress import progress_bar

app = typer.Typer(add_completion=False)
GO_ON = "interrupted: what was sent is kept; run the same command again to go on"


class Ingested(msgspec.Struct):
    """The whole run, for people and as JSON."""

    collection: str
    sources: list[str]
    created: bool
    done: Synchronized

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        tally = self.done.tally
        documents = {
            "sent": tally.sent,
            "unchanged": tally.unchanged,
            "removed": tally.removed,
            "refused": len(tally.refused),
        }
        return {
            "collection": self.collection,
            "sources": self.sources,
            "created": self.created,
            "documents": documents,
            "chunks": tally.chunks,
            "embedded": tally.embedded,
            "reused": tally.reused,
            "without_dense": tally.without_dense,
            "refused": msgspec.to_builtins(tally.refused),
            "dead_jobs": tally.dead_jobs,
            "seconds": self.done.seconds,
        }


@app.command(
    help=COMMANDS["ingest"][1], epilog="Example: vectis ingest docs/ README.md --collection docs --source handbook"
)
def ingest(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Files, folders, checkouts; NAME=PATH names a source.")
    ],
    collection: InCollection = "docs",
    source: Annotated[str | None, typer.Option(help="Name of the only SOURCE; else that of its folder.")] = None,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Draw no progress bar.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Only new and changed documents are sent; those of the source that are gone from it are removed."""
    if source is not None and len(sources) > 1:
        raise typer.BadParameter("--source names one SOURCE; of several, name each: NAME=PATH")
    local = read_local([f"{source}={sources[0]}"] if source is not None else sources)

    async def work(api: Api) -> Ingested:
        created = await ensure_collection(api, collection)
        if created:
            notes.print(f"created collection {collection}", style="dim")
        done = await synchronize(
            api,
            collection,
            local.sources,
            local.documents,
            local.unreadable_ids,
            lambda total: progress_bar("ingesting", total, shown=not no_progress),
        )
        return Ingested(collection, local.sources, created, done)

    try:
        ingested = ask(work, url, data_dir, as_json=as_json)
    except KeyboardInterrupt:
        notes.print(GO_ON)
        raise
    tally = ingested.done.tally
    tally.refused = [*local.refused, *tally.refused]
    if as_json:
        print_json(ingested.as_json())
    else:
        _show(ingested)
    if tally.dead_jobs or (local.refused and not local.documents):
        raise typer.Exit(FAILED)


def _show(ingested: Ingested) -> None:
    tally, seconds = ingested.done.tally, ingested.done.seconds
    typer.echo(
        f"{ingested.collection}: {tally.sent} sent, {tally.unchanged} unchanged, {tally.removed} removed, "
        f"{len(tally.refused)} refused in {seconds:.1f} s"
    )
    rate = f", {tally.chunks / seconds:.0f} chunks/s" if tally.chunks and seconds else ""
    typer.echo(f"{tally.chunks} chunks: {tally.embedded} embedded, {tally.reused} reused{rate}")
    if tally.without_dense:
        typer.echo(
            f"{tally.without_dense} chunks are found by BM25 alone: `vectis models install minilm`, then ingest again"
        )
    tell(tally)
