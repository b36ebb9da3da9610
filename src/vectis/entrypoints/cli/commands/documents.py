"""`vectis documents`: the kept documents of a collection, one at a time. Whole folders are ingest's."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vectis.entrypoints.cli.exits import FAILED
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, InCollection, Url, Yes, confirm
from vectis.entrypoints.cli.terminal.output import console, moment, notes, print_facts, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["documents"][1])
DocumentId = Annotated[str, typer.Argument(metavar="ID", help="The document's id.")]


def documents_of(collection: str) -> str:
    """The path of a collection's documents."""
    return f"/collections{path_of(collection)}/documents"


@app.command("list", epilog="Example: vectis documents list -c docs --source stdlib --limit 20")
def list_documents(
    collection: InCollection = "docs",
    source: Annotated[str | None, typer.Option(help="Only those of this source.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 50,
    offset: Annotated[str | None, typer.Option(help="The id to begin with.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List documents by id, with their number of chunks and whether they can be searched as sent."""
    answer = ask(
        lambda api: api.get(documents_of(collection), limit=limit, offset=offset, source=source),
        url,
        data_dir,
        as_json=as_json,
    )
    if as_json:
        print_json(answer)
        return
    print_table(
        ("id", "title", "source", "chunks:", "current", "updated"),
        [
            (d["id"], d["title"], d["source"], d["chunks"], _state(d), moment(d["updated_at"]))
            for d in answer["documents"]
        ],
    )
    if answer["next_offset"] is not None:
        notes.print(f"more: --offset {answer['next_offset']}", style="dim")


@app.command(epilog="Example: vectis documents show guide/start.md -c docs")
def show(
    document: DocumentId,
    collection: InCollection = "docs",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Show a document as it was sent."""
    answer = ask(lambda api: api.get(documents_of(collection) + path_of(document)), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    kept = answer["document"]
    facts = {
        "id": kept["id"],
        "title": kept.get("title"),
        "source": kept.get("source"),
        "url": kept.get("url"),
        "chunks": answer["chunks"],
        "current": _state(answer),
        "updated": moment(answer["updated_at"]),
    }
    print_facts(facts)
    console.print()
    console.print(kept["text"], markup=False)


@app.command(epilog="Example: vectis documents put notes.md --id notes -c docs --wait")
def put(
    file: Annotated[Path, typer.Argument(allow_dash=True, help="The text; - reads it from stdin.")],
    document: Annotated[str | None, typer.Option("--id", help="Its id; else the file's name.")] = None,
    title: Annotated[str, typer.Option(help="Its title.")] = "",
    format: Annotated[str, typer.Option(help="markdown, html, rst or text.")] = "markdown",
    wait: Annotated[bool, typer.Option("--wait", help="Return when it can be searched.")] = False,
    collection: InCollection = "docs",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Put one document into a collection; one of the same id is replaced."""
    from_stdin = str(file) == "-"
    if from_stdin and document is None:
        raise typer.BadParameter("a document from stdin needs --id")
    text = _text_of(file, from_stdin=from_stdin)
    sent = {"id": document or file.name, "text": text, "title": title, "format": format}

    async def work(api: Api) -> Any:
        waiting = {"wait": "true"} if wait else {}
        return await api.post(documents_of(collection), {"documents": [sent]}, timeout_s=None, **waiting)

    answer = ask(work, url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    elif not answer["refused"]:
        state = "unchanged" if answer["unchanged"] else "indexed" if wait else f"accepted, job {answer['job_id']}"
        typer.echo(f"{sent['id']}: {state}")
    if answer["refused"]:
        refused = answer["refused"][0]
        typer.echo(f"error [{refused['code']}]: {refused['reason']}", err=True)
        raise typer.Exit(FAILED)


@app.command(epilog="Example: vectis documents delete guide/start.md guide/old.md -c docs --yes")
def delete(
    documents: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of documents.")],
    collection: InCollection = "docs",
    yes: Yes = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Delete documents with their chunks and wait until they are gone."""
    confirm(f"Delete {len(documents)} document(s) from {collection}?", yes=yes)
    answer = ask(lambda api: remove(api, collection, documents), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"deleted {answer['removed']} of {len(documents)}")


async def remove(api: Api, collection: str, ids: list[str]) -> Any:
    """Delete documents and wait; the server's answer."""
    return await api.post(f"{documents_of(collection)}/delete", {"ids": ids}, wait="true", timeout_s=None)


def _text_of(file: Path, *, from_stdin: bool) -> str:
    try:
        return typer.get_text_stream("stdin").read() if from_stdin else file.read_text("utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is not UTF-8 text") from None
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _state(document: dict[str, Any]) -> str:
    return document.get("error") or ("yes" if document["current"] else "not yet")
