"""The documents on this side: read from files, folders and checkouts, with what could not be read."""

from pathlib import Path

import msgspec
import typer

from vectis.domain.documents import Document
from vectis.domain.errors import InvalidInput, UnreadableDocument
from vectis.entrypoints.cli.filling.upload import Rejection
from vectis.ingest.sources import Skipped, Source, open_sources, read_source


class Local(msgspec.Struct):
    """What is on this side: the documents, the names of their sources, what could not be read.

    `unreadable_ids` are of files that are there but cannot be read now; what the collection holds of them stays.
    """

    sources: list[str]
    documents: list[Document] = []
    refused: list[Rejection] = []
    unreadable_ids: set[str] = set()


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
