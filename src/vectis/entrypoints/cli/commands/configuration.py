"""`vectis config`: what is set and why, whether it would work, how two differ, templates. Changes are next door."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from vectis.domain.errors import InvalidSetting, NotFound
from vectis.entrypoints.cli.commands import configuration_changes
from vectis.entrypoints.cli.exits import FAILED, UNAVAILABLE, perform, reporting
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir
from vectis.entrypoints.cli.terminal.output import print_json, print_table
from vectis.runtime.configuration.listing import Difference, differences, listing
from vectis.runtime.configuration.loading import Configuration, active_file, overrides_for, read, read_only
from vectis.runtime.configuration.sources import (
    OLD_NAMES,
    TEMPLATES,
    Found,
    from_file,
    from_template,
    from_text,
    template_named,
)
from vectis.runtime.configuration.versions import versioned_file
from vectis.runtime.paths import FolderLayout
from vectis.runtime.wiring.asked_parts import ask_parts

app = typer.Typer(add_completion=False, no_args_is_help=True, help=COMMANDS["config"][1])
templates = typer.Typer(add_completion=False, no_args_is_help=True, help="Configurations that ship with Vectis.")
app.add_typer(templates, name="template")

app.command("apply", epilog="Example: vectis config apply staging.toml -m 'larger batches'")(
    configuration_changes.apply
)
app.command("rollback", epilog="Example: vectis config rollback; vectis config rollback 3")(
    configuration_changes.rollback
)
app.command("history", epilog="Example: vectis config history --json")(configuration_changes.history)
templates.command("apply", epilog="Example: vectis config template apply personal-use")(
    configuration_changes.apply_template
)

ACTIVE = "active"
Given = Annotated[
    Path | None, typer.Option("--config", exists=True, dir_okay=False, help="TOML or YAML file of settings.")
]


@app.command(epilog="Example: vectis config show --json")
def show(config: Given = None, as_json: AsJson = False, data_dir: DataDir = DEFAULT_FOLDER) -> None:
    """Show every setting that a server started here would use, secrets masked, and where its value comes from."""
    found = _read(config, data_dir)
    lines = listing(found)
    if as_json:
        print_json({"settings": msgspec.to_builtins(lines), "warnings": list(found.warnings)})
    else:
        print_table(("setting", "value", "from"), [(line.key, line.value, line.origin) for line in lines])
    _report(found, as_json=as_json)


@app.command(epilog="Example: vectis config validate staging.toml")
def validate(
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="File; else the active one.")] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Ask store, engine, cache and embedder too; changes nothing there.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Check a configuration together with this environment and name everything that is wrong, not only the first."""
    found = _read(file, data_dir)
    asked = perform(ask_parts(found.settings), as_json=as_json) if connect and not found.objections else []
    if as_json:
        shown = {"objections": found.objections, "warnings": found.warnings, **({"parts": asked} if connect else {})}
        print_json({"valid": not found.objections, **msgspec.to_builtins(shown)})
    elif not found.objections:
        typer.echo("valid")
        if connect:
            print_table(("part", "", "found"), [(p.part, "ok" if p.ok else "failed", p.detail) for p in asked])
    _report(found, as_json=as_json)
    if not all(part.ok for part in asked):
        raise typer.Exit(UNAVAILABLE)


@app.command(epilog="Example: vectis config diff active production; vectis config diff 3 active")
def diff(
    before: Annotated[str, typer.Argument(help="A file, a template, a version number, or `active`.")],
    after: Annotated[str, typer.Argument(help="A file, a template, a version number, or `active`.")] = ACTIVE,
    as_json: AsJson = False,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Show what two configurations set differently, the environment left aside. Ends with 1 when they differ."""
    with reporting(as_json=as_json):
        found = differences(_alone(before, data_dir).settings, _alone(after, data_dir).settings)
    _show_differences(found, before, after, as_json=as_json)
    if found:
        raise typer.Exit(FAILED)


@templates.command("list", epilog="Example: vectis config template list")
def list_templates(as_json: AsJson = False) -> None:
    """List the templates."""
    rows = [(name, template_named(name)[1].splitlines()[0].removeprefix("# ")) for name in TEMPLATES]
    if as_json:
        print_json([{"name": name, "about": about} for name, about in rows])
    else:
        print_table(("name", "about"), rows)


@templates.command("show", epilog="Example: vectis config template show production > config.toml")
def show_template(name: Annotated[str, typer.Argument(help="Template.")]) -> None:
    """Print a template as a file to begin with."""
    with reporting(as_json=False):
        known, text = template_named(name)
    if known != name:
        typer.echo(f"warning: the template {name} is called {known} now", err=True)
    typer.echo(text, nl=False)


def _read(config: Path | None, data_dir: Path) -> Configuration:
    return read(config, overrides_for(data_dir, os.environ), os.environ)


def _alone(name: str, data_dir: Path) -> Configuration:
    """What a file or template sets by itself."""
    if name in (*TEMPLATES, *OLD_NAMES):
        return read_only(from_template(name))
    if name.isdecimal():
        return read_only(_of_version(int(name), data_dir))
    file = Path(name) if name != ACTIVE else active_file(data_dir)
    if file is None:
        return read_only(iter(()))
    if not file.is_file():
        raise InvalidSetting(f"{name}: no version, no file and no template ({', '.join(TEMPLATES)})", key=name[:200])
    return read_only(from_file(file))


def _of_version(number: int, data_dir: Path) -> Found:
    """What an applied or taken back version sets. Raises NotFound."""
    versions = versioned_file("", FolderLayout(data_dir)).versions()
    for version in versions:
        if version.number == number:
            return from_text(version.text, version.suffix, f"version {number}")
    raise NotFound(f"there is no version {number} of the configuration; `vectis config history` lists them")


def _show_differences(found: list[Difference], before: str, after: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"differences": msgspec.to_builtins(found)})
    elif found:
        print_table(("setting", before, after), [(each.key, each.before, each.after) for each in found])
    else:
        typer.echo("no difference")


def _report(found: Configuration, *, as_json: bool) -> None:
    """What is wrong, for people, and the exit status."""
    if not as_json:
        for line in _remarks(found):
            typer.echo(line, err=True)
    if found.objections:
        raise typer.Exit(FAILED)


def _remarks(found: Configuration) -> Iterator[str]:
    yield from (f"warning: {warning}" for warning in found.warnings)
    yield from (f"wrong: {objection}" for objection in found.objections)
