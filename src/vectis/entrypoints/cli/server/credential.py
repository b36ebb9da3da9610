"""The key that commands show to the server at --url. The server of a data folder needs none: its folder holds a token."""

from contextvars import ContextVar
from typing import Annotated

import typer
from typer.core import TyperOption

api_key_var: ContextVar[str] = ContextVar("api_key", default="")
"""The value of --api-key; empty without it."""


def _remember(api_key: str | None) -> str | None:
    api_key_var.set(api_key or "")
    return api_key


def api_key_option() -> TyperOption:
    """The option --api-key, which sets `api_key_var` and nothing else."""
    holder = typer.Typer(add_completion=False)
    holder.command()(_bearer)
    option = typer.main.get_command(holder).params[0]
    assert isinstance(option, TyperOption)
    return option


def _bearer(
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key", envvar="VECTIS_API_KEY", expose_value=False, callback=_remember, help="Key or token for --url."
        ),
    ] = None,
) -> None:
    """Only its option is used."""
