"""Readable output: tables, marked snippets, JSON. Errors are shown by exits."""

import json
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
notes = Console(stderr=True, highlight=False)
"""Remarks beside the result: on stderr, so that the result can be piped."""


def print_json(value: Any) -> None:
    """One JSON value, indented."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table; columns whose name ends with a colon stand right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.rstrip(":"), justify="right" if column.endswith(":") else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)


def marked(snippet: str) -> Text:
    """A snippet as the server sends it (HTML-escaped, matches in <mark>) for a terminal."""
    text = Text()
    for i, piece in enumerate(snippet.split("<mark>")):
        inside, _, rest = piece.partition("</mark>") if i else ("", "", piece)
        text.append(unescape(inside), style="bold yellow")
        text.append(unescape(rest))
    return text


def moment(timestamp: str | None) -> str:
    """An RFC 3339 timestamp, to the second."""
    return (timestamp or "")[:19].replace("T", " ")
