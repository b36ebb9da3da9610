"""Blocks marked `run` do run.

The mark stands after the language: ```python run or ```console run. The blocks of a page run in order in one empty folder, so
that a later one may use what an earlier one left there.

python:  a script of its own; it must end with status 0.
console: lines that begin with `$ ` are run by bash, in order, with our `vectis` and `python` first on the path; all must succeed.
         What stands below a command is its output, where `...` stands for any text. Nothing below it: any output will do.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK_S = 120


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VECTIS_")}
    return {**kept, "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]), "NO_COLOR": "1"}


def _run(command: list[str], folder: Path, where: str) -> str:
    run = subprocess.run(
        command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=BLOCK_S, check=False
    )
    assert run.returncode == 0, f"{where}: status {run.returncode}\n{run.stdout}{run.stderr}"
    return run.stdout


def _commands(body: str) -> list[tuple[str, str]]:
    """(command, expected output) of a console block; a command goes on after a backslash at the end of its line."""
    found: list[tuple[str, str]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (f"{found[-1][0]}\n{line}", "")
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def _fits(expected: str, got: str) -> bool:
    pattern = ".*".join(re.escape(part.strip()) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, got.strip(), re.DOTALL) is not None


def test_blocks_run(running_page, tmp_path: Path) -> None:
    for block in running_page.blocks:
        if not block.runs:
            continue
        if block.language == "python":
            _run([sys.executable, "-c", block.body], tmp_path, block.where)
        else:
            for command, expected in _commands(block.body):
                got = _run(["bash", "-euo", "pipefail", "-c", command], tmp_path, f"{block.where} $ {command}")
                assert not expected or _fits(expected, got), (
                    f"{block.where} $ {command}\nexpected:\n{expected}\ngot:\n{got}"
                )


def test_only_python_and_console_are_marked(page) -> None:
    wrong = [block.where for block in page.blocks if block.runs and block.language not in ("python", "console")]
    assert not wrong, f"nobody knows how to run these: {wrong}"


@pytest.mark.parametrize(
    ("expected", "got", "fits"),
    [
        ("one\n", "one\n", True),
        ("one\n", "two\n", False),
        ("hits: ... in ... ms\n", "hits: 3 in 12 ms\n", True),
        ("hits: ... in ... ms\n", "no hits\n", False),
    ],
)
def test_what_output_fits(expected: str, got: str, fits: bool) -> None:
    assert _fits(expected, got) is fits


def test_commands_of_a_console_block() -> None:
    assert _commands("$ one \\\n  two\nout\nput\n$ three\n") == [("one \\\n  two", "out\nput\n"), ("three", "")]
