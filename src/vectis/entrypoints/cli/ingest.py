"""`vectis ingest`: files and folders into a collection, again and again."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from vectis.domain.documents import Document
from vectis.domain.errors import InvalidInput, UnreadableDocument
from vectis.entrypoints.cli.api import Api
from vectis.entrypoints.cli.connection import ask
from vectis.entrypoints.cli.exits import FAILED
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.options import DEFAULT_FOLDER, AsJson, DataDir, InCollection, Url
from vectis.entrypoints.cli.output import notes, print_json
from vectis.entrypoints.cli.progress import progress_bar
from vectis.entrypoints.cli.synchronize import Synchronized, ensure_collection, synchronize
from vectis.entrypoints.cli.upload import Rejection, Tally
from vectis.ingest.sources import Skipped, Source, open_sources, read_source

app = typer.Typer(add_completion=False)
REASONS_SHOWN = 20
GO_ON = "interrupted: what was sent is kept; run the same command again to go on"


class Local(msgspec.Struct):
    """What is on this side: the documents, the names of their sources, what could not be read.

    `unreadable_ids` are of files that are there but cannot be read now; what the collection holds of them stays.
    """

    sources: list[str]
    documents: list[Document] = []
    refused: list[Rejection] = []
    unreadable_ids: set[str] = set()


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


def read_local(arguments: list[str]) -> Local:
    """Read all documents of all sources. BadParameter when a source is not there or two have one name."""
    try:
        sources = open_sources(arguments)
    except InvalidInput as error:
        raise typer.BadParameter(error.message) from None
    local = Local([source.name for source in sources])
    for source in sources:
        for each in read_source(source):
            if isinstance(each, Skipped):
                local.refused.append(Rejection(each.place, UnreadableDocument.code, each.reason))
                local.unreadable_ids |= _ids_at(Path(each.place), source)
            else:
                local.documents.append(each)
    local.sources = sorted({*local.sources, *(document.source for document in local.documents)})
    return local


def _ids_at(path: Path, source: Source) -> set[str]:
    """The id that a file's document has; none for a place outside of the source."""
    if not path.is_relative_to(source.path):
        return set()
    below = path.relative_to(source.path).as_posix()
    return {source.name if below == "." else f"{source.name}/{below}"}


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


def tell(tally: Tally) -> None:
    """Say on stderr what was refused, and which jobs gave up."""
    for each in tally.refused[:REASONS_SHOWN]:
        typer.echo(f"  refused {each.id}: {each.reason} [{each.code}]", err=True)
    if len(tally.refused) > REASONS_SHOWN:
        typer.echo(f"  and {len(tally.refused) - REASONS_SHOWN} more; --json lists them all", err=True)
    for job in tally.dead_jobs:
        typer.echo(f"  job gave up: {job}", err=True)
