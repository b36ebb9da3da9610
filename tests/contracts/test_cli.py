"""The help of every command stands committed: a changed option shows in the diff.

After a change on purpose: WRITE_CONTRACTS=1 python -m pytest tests/contracts/test_cli.py
"""

import os
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.text import Text
from typer.testing import CliRunner

from vectis.entrypoints.cli.main import COMMANDS, app, load

SNAPSHOT = Path(__file__).with_name("cli_help.txt")
PLAIN = {
    "TERMINAL_WIDTH": "110",
    "COLUMNS": "110",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "_TYPER_FORCE_DISABLE_TERMINAL": "1",
}


def test_help_is_as_committed() -> None:
    shown = "\n".join(_help(*words) for words in _commands())
    if os.environ.get("WRITE_CONTRACTS"):
        SNAPSHOT.write_text(shown, "utf-8")
    assert shown == SNAPSHOT.read_text("utf-8")


def test_no_help_is_taken_for_markup() -> None:
    for words in _commands():
        command = typer.main.get_command(app) if not words else load(COMMANDS[words[0]][0])
        for word in words[1:]:
            command = command.commands[word]
        texts = [command.help, command.epilog, *(getattr(each, "help", None) for each in command.params)]
        eaten = [text for text in texts if text and Text.from_markup(text).plain != text.replace("\\[", "[")]
        assert not eaten, f"vectis {' '.join(words)}: brackets in {eaten} are taken for markup: write \\\\["


def _commands() -> Iterator[tuple[str, ...]]:
    yield ()
    for name, (module, _) in COMMANDS.items():
        yield from _below((name,), load(module))


def _below(words: tuple[str, ...], command: object) -> Iterator[tuple[str, ...]]:
    yield words
    for each, below in getattr(command, "commands", {}).items():
        yield from _below((*words, each), below)


def _help(*words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="vectis", env=PLAIN)
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.output.splitlines()]
    return "\n".join([f"$ vectis {' '.join([*words, '--help'])}", *lines, ""])
