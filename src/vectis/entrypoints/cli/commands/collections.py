"""`vectis collections`: what collections there are, making and removing them, aliases."""

from typing import Annotated, Any

import typer

from vectis.domain.schema import PayloadIndexKind
from vectis.entrypoints.cli.commands import collections_configuring
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api, member, path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url, Yes, confirm
from vectis.entrypoints.cli.terminal.output import moment, print_facts, print_json, print_table

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["collections"][1])
Name = Annotated[str, typer.Argument(help="Collection.")]

app.command("configure", epilog="Example: vectis collections configure docs --set fusion.dense=2 -m 'more by meaning'")(
    collections_configuring.configure
)
app.command("history", epilog="Example: vectis collections history docs")(collections_configuring.history)
app.command("rollback", epilog="Example: vectis collections rollback docs; vectis collections rollback docs 1")(
    collections_configuring.rollback
)


@app.command("list", epilog="Example: vectis collections list --json")
def list_collections(
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that are deleted and not yet removed.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List all collections with their number of points."""
    answer = ask(
        lambda api: api.get("/collections", deleted="true" if deleted else None), url, data_dir, as_json=as_json
    )
    if as_json:
        print_json(answer)
        return
    time, heading = ("removal_at", "removed") if deleted else ("created_at", "created")
    print_table(
        ("name", "profile", "points:", heading),
        [(c["name"], c["profile"], c["points"], moment(c[time])) for c in answer["collections"]],
    )


@app.command(epilog="Example: vectis collections show docs")
def show(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show one collection: its counts, indexes and settings."""
    answer = ask(lambda api: api.get("/collections" + path_of(name)), url, data_dir, as_json=as_json)
    if as_json:
        print_json(answer)
        return
    embedding = member(answer["profile"], "embedding")
    facts: dict[str, object] = {
        "name": answer["name"],
        "profile": answer["profile"]["name"],
        "embedding": embedding.get("model"),
        "points": answer["points"],
        "indexed vectors": answer["indexed_vectors"],
        "segments": answer["segments"],
        "building": "yes" if answer["building"] else "no",
        "trouble": answer["trouble"] or "none",
        "payload indexes": ", ".join(f"{key} ({kind})" for key, kind in answer["payload_indexes"].items()),
        "filtered by": ", ".join(_filter_use(key, use) for key, use in answer["filters"].items()),
        "gains": "; ".join(map(_gain, answer["gains"])),
        "aliases": ", ".join(answer["aliases"]),
        "created": moment(answer["created_at"]),
    }
    print_facts(facts)


@app.command(
    epilog="Example: vectis collections create docs; vectis collections create images --size 512 --distance Dot"
)
def create(
    name: Name,
    profile: Annotated[str | None, typer.Option(help="Profile of a document collection.")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Dimension: a collection of your own vectors.")] = None,
    distance: Annotated[str, typer.Option(help="Cosine, Dot, Euclid or Manhattan; with --size.")] = "Cosine",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Create a collection for documents (of the default profile) or, with --size, for your own vectors."""
    body: dict[str, Any] = {"name": name}
    if profile is not None:
        body["profile"] = profile
    if size is not None:
        body["vectors"] = {"dense": {"size": size, "distance": distance}}
    _say(
        ask(lambda api: api.post("/collections", body), url, data_dir, as_json=as_json),
        f"created {name}",
        as_json=as_json,
    )


@app.command(epilog="Example: vectis collections delete docs --yes")
def delete(
    name: Name,
    yes: Yes = False,
    grace_minutes: Annotated[
        int | None,
        typer.Option(min=0, help="How long it can be taken back; 0 removes it now.  \\[default: the server's]"),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Delete a collection: hidden at once, removed with all its points and documents when the grace is over."""
    confirm(f"Delete {name} with everything in it?", yes=yes)
    answer = ask(
        lambda api: api.delete("/collections" + path_of(name), grace_minutes=grace_minutes),
        url,
        data_dir,
        as_json=as_json,
    )
    until = f", until {moment(answer['removal_at'])} UTC `vectis collections undelete {name}` brings it back"
    _say(answer, f"deleted {name}" + ("" if grace_minutes == 0 else until), as_json=as_json)


@app.command(epilog="Example: vectis collections undelete docs")
def undelete(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Bring a deleted collection back as it was."""
    answer = ask(lambda api: api.post("/collections" + path_of(name) + "/undelete"), url, data_dir, as_json=as_json)
    _say(answer, f"{name} is back with {answer['points']} points", as_json=as_json)


@app.command(epilog="Example: vectis collections optimize docs")
def optimize(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Build the indexes of a collection now and wait until queries use them."""
    answer = ask(
        lambda api: api.post(f"/collections{path_of(name)}/optimize", wait="true", timeout_s=None),
        url,
        data_dir,
        as_json=as_json,
    )
    _say(answer, "optimized" if answer.get("optimized") else "nothing to build", as_json=as_json)


@app.command("index", epilog="Example: vectis collections index docs author keyword")
def create_index(
    name: Name,
    key: Annotated[str, typer.Argument(help="Payload key, as in filters.")],
    kind: Annotated[PayloadIndexKind, typer.Argument(help="What its values are.")],
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Make a payload index, so that a filter by this key need not look at every point."""
    _say(
        ask(
            lambda api: api.post(f"/collections{path_of(name)}/indexes", {"key": key, "kind": kind}, timeout_s=None),
            url,
            data_dir,
            as_json=as_json,
        ),
        f"indexed {key}",
        as_json=as_json,
    )


@app.command(epilog="Example: vectis collections alias live docs; vectis collections alias live --remove")
def alias(
    name: Annotated[str | None, typer.Argument(help="Alias; without one all are listed.")] = None,
    collection: Annotated[str | None, typer.Argument(help="The collection that it shall lead to.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the alias.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """List aliases, point one to a collection, or remove it."""
    if (name is not None) != (collection is not None or remove) or (collection is not None and remove):
        raise typer.BadParameter("give ALIAS and COLLECTION, or ALIAS and --remove, or nothing to list")

    async def work(api: Api) -> Any:
        if name is None:
            return await api.get("/aliases")
        if remove:
            return await api.delete("/aliases" + path_of(name))
        return await api.put("/aliases" + path_of(name), {"collection": collection})

    answer = ask(work, url, data_dir, as_json=as_json)
    if as_json or name is not None:
        _say(answer, f"removed {name}" if remove else f"{name} -> {collection}", as_json=as_json)
        return
    rows = [(a["alias"], ", ".join(t["collection"] for t in a["targets"]), a["version"]) for a in answer["aliases"]]
    print_table(("alias", "collection", "version:"), rows)


def _filter_use(key: str, use: dict[str, int]) -> str:
    without = f", {use['unindexed']} without an index" if use["unindexed"] else ""
    return f"{key} ({use['searches']} searches{without})"


def _gain(gain: dict[str, Any]) -> str:
    figures = f"nDCG@10 {gain['difference']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
    measured = f"{gain['queries']} queries of {gain['dataset']}, {moment(gain['at'])}"
    return f"{gain['mode']} - {gain['against']}: {figures} ({measured})"


def _say(answer: Any, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        typer.echo(text)
