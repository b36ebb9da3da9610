"""Options that several commands share."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, cast

import typer

DEFAULT_FOLDER = Path(".vectis")


def _known_scheme(url: str | None) -> str | None:
    if url is not None and not url.startswith(("http://", "https://", "unix:")):
        raise typer.BadParameter("begins with http://, https:// or unix: (the path of a socket)")
    return url


Url = Annotated[
    str | None,
    typer.Option("--url", callback=_known_scheme, help="A running server; goes before --data-dir."),
]
DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="VECTIS_SERVER__DATA_DIR", help="The data folder of a local server.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, errors too (on stderr).")]
InCollection = Annotated[str, typer.Option("--collection", "-c", help="Collection or alias.")]
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, help="How many results.", show_default="the collection's limit")
]
Diversity = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="How much results shall differ from those before them, 0 to 1.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is lost; without a terminal only `--yes` is an answer."""
    if not yes and not typer.get_text_stream("stdin").isatty():
        raise typer.BadParameter("nobody to ask: add --yes")
    if not yes:
        typer.confirm(question, abort=True, err=True)


def read_table(file: Path, option: str) -> dict[str, Any]:
    """What a TOML or JSON file holds. BadParameter, naming `option`, when it cannot be read or is no table."""
    try:
        text = file.read_text("utf-8")
        held: Any = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise typer.BadParameter(f"{option} {file}: {error}") from None
    if not isinstance(held, dict):
        raise typer.BadParameter(f"{option} {file}: not a JSON object")
    return cast("dict[str, Any]", held)
