"""The table of commands."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from vectis.entrypoints.cli.main import COMMANDS, app, load

runner = CliRunner()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_loads_and_its_summary_is_the_one_in_the_table(command: str) -> None:
    module, summary = COMMANDS[command]
    assert load(module).help == summary


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_gives_an_example(command: str) -> None:
    missing = [path for path, one in _each(command, load(COMMANDS[command][0])) if f"Example: vectis {path}" not in one]
    assert not missing


def _each(path: str, command: Any) -> Iterator[tuple[str, str]]:
    """Every command below, with its words and its epilog."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command.epilog or ""
    for name, one in (inner or {}).items():
        yield from _each(f"{path} {name}", one)


def test_help_imports_no_command() -> None:
    script = (
        "import sys\nfrom typer.testing import CliRunner\nfrom vectis.entrypoints.cli.main import app\n"
        "assert 'doctor' in CliRunner().invoke(app, ['--help']).output\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('httpx', 'uvloop', 'sqlalchemy', 'numpy')])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_mistyped_command_gets_a_suggestion_and_exit_code_2() -> None:
    result = runner.invoke(app, ["serch"])
    assert result.exit_code == 2
    assert "search" in result.output


def test_completion_offers_commands_and_options() -> None:
    names = runner.invoke(
        app,
        [],
        prog_name="vectis",
        env={"_VECTIS_COMPLETE": "complete_bash", "COMP_WORDS": "vectis col", "COMP_CWORD": "1"},
    )
    assert names.output.split() == ["collections"]
    options = runner.invoke(
        app,
        [],
        prog_name="vectis",
        env={"_VECTIS_COMPLETE": "complete_bash", "COMP_WORDS": "vectis search --col", "COMP_CWORD": "2"},
    )
    assert options.output.split() == ["--collection"]
