"""The commands of `vectis collections` that change how a collection is searched, and take that back."""

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import ask
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url, read_table
from vectis.entrypoints.cli.terminal.output import moment, print_json, print_table

Name = Annotated[str, typer.Argument(help="Collection, or alias of one.")]
Settings = dict[str, Any]


def configure(
    name: Name,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A search setting; may be given many times.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="TOML or JSON of all settings; what it leaves out gets its default."
        ),
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What changes and why.")] = "",
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Change how a collection is searched when a query does not say otherwise; from the next query on."""
    if (file is None) == (not assignments):
        raise typer.BadParameter("give --set KEY=VALUE, or --file")
    wanted = [_assignment(text) for text in assignments or ()]
    given = None if file is None else read_table(file, "--file")

    async def work(api: Api) -> tuple[Any, Any]:
        before = (await search_settings(api, name))[0]
        settings = assigned(before["settings"], wanted) if given is None else given
        read_version = before["number"] if given is None else None
        return before, await put_search_settings(api, name, settings, message, read_version)

    before, after = ask(work, url, data_dir, as_json=as_json)
    _show(name, before, after, as_json=as_json)


def history(name: Name, as_json: AsJson = False, url: Url = None, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """List every version of a collection's search settings, newest first, which is the one in force."""
    versions = ask(lambda api: search_settings(api, name), url, data_dir, as_json=as_json)
    if as_json:
        print_json({"versions": versions})
        return
    rows = [
        (v["number"], moment(v["at"]), v["author"], v["description"], _changes(older, v))
        for v, older in zip(versions, [*versions[1:], None], strict=True)
    ]
    print_table(("version:", "at", "by", "description", "changed"), rows)


def rollback(
    name: Name,
    version: Annotated[
        int | None, typer.Argument(min=1, help="Version; else the last with other settings than those in force.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Search a collection with earlier settings again."""

    async def work(api: Api) -> tuple[Any, Any]:
        before = (await search_settings(api, name))[0]
        return before, await api.post(f"/collections{path_of(name)}/search-settings/rollback", {"version": version})

    before, after = ask(work, url, data_dir, as_json=as_json)
    _show(name, before, after, as_json=as_json)


async def search_settings(api: Api, name: str) -> list[dict[str, Any]]:
    """The versions of a collection's search settings, newest first, which is the one in force."""
    return (await api.get(f"/collections{path_of(name)}/search-settings/history"))["versions"]


async def put_search_settings(
    api: Api, name: str, settings: dict[str, Any], description: str, read_version: int | None
) -> dict[str, Any]:
    """Search the collection with other settings; gives their version. Conflict when another than `read_version` is in force."""
    body = {"search": settings, "description": description, "read_version": read_version}
    return await api.put(f"/collections{path_of(name)}/search-settings", body)


def assigned(settings: Settings, assignments: Sequence[tuple[str, Any]]) -> Settings:
    """Settings with some of them set otherwise; the key `fusion.dense` means what is within.

    Another `fusion.type` leaves nothing of the fusion before. BadParameter where a key leads into what holds no settings.
    """
    changed = deepcopy(settings)
    for key, value in assignments:
        *outer, last = key.split(".")
        place = changed
        for part in outer:
            inner: Any = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise typer.BadParameter(f"--set {key}: {part} has no settings within")
            place = cast("Settings", inner)
        if last == "type" and place.get(last) != value:
            place.clear()
        place[last] = value
    return changed


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise typer.BadParameter(f"--set {text}: write KEY=VALUE, for example --set fusion.dense=2")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def _show(name: str, before: dict[str, Any], after: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(after)
    elif after["number"] == before["number"]:
        typer.echo(f"{name}: nothing to change, version {after['number']} stays")
    else:
        typer.echo(f"{name}: version {after['number']}: {_changes(before, after)}")


def _changes(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """`key=value` of every setting that is not as it was; nothing where there is no version before."""
    if before is None:
        return ""
    old, new = dict(_flat(before["settings"])), dict(_flat(after["settings"]))
    return ", ".join(f"{key}={json.dumps(value)}" for key, value in new.items() if old.get(key) != value)


def _flat(settings: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(cast("Settings", value), f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
