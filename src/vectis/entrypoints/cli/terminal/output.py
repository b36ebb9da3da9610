"""Readable output: tables, marked snippets, JSON. Errors are shown by exits."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import unescape
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 10_000
"""Nobody reads a pipe on a screen: lines stay whole there."""

UNPRINTABLE = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


class TamedConsole(Console):
    """Shows control characters of other people's texts as what they are: a title must not steer the terminal of its reader."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else text.translate(UNPRINTABLE), style, control)


console = TamedConsole(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
notes = TamedConsole(stderr=True, highlight=False)
"""Remarks beside the result: on stderr, so that the result can be piped."""


def print_json(value: Any) -> None:
    """One JSON value, indented."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table; columns whose name ends with a colon stand right, the first is never broken."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        justify = "right" if column.endswith(":") else "left"
        table.add_column(column.rstrip(":"), justify=justify, overflow="fold", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """One line for each fact that there is."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if value not in (None, ""):
            console.print(Text.assemble((f"{name:<{width}}  ", "bold"), str(value)))


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
