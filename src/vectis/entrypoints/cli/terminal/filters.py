"""Filters as people type them. What a filter may hold is checked by the server."""

import json
from typing import Any

import typer


def read_filter(texts: list[str]) -> dict[str, Any] | None:
    """One filter of what `--filter` was given: JSON or key=value, all of which must hold. BadParameter when unreadable.

    In key=value a value that reads as an integer, true or false is one; quotes make it a string: year='"2024"'.
    """
    if not texts:
        return None
    parts = [_json_filter(text) if text.lstrip().startswith("{") else _equality(text) for text in texts]
    return parts[0] if len(parts) == 1 else {"must": parts}


def _json_filter(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"--filter is not JSON: {error}") from None


def _equality(text: str) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise typer.BadParameter(f"--filter takes JSON or key=value, not {text!r}")
    return {"must": [{"key": key, "match": {"value": _scalar(value)}}]}


def _scalar(text: str) -> str | int | bool:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, str | int) else text
