"""The repository as a whole: one configuration per tool, no paths of one machine, no pictures in text, no unfinished marks."""

import re
from pathlib import Path

CONFIGURATION_ELSEWHERE = {
    ".coveragerc", ".flake8", ".importlinter", ".isort.cfg", ".mypy.ini", ".pylintrc", ".pytest.ini", ".ruff.toml",
    "Pipfile", "basedpyrightconfig.json", "mypy.ini", "poetry.lock", "pylintrc", "pyrightconfig.json", "pytest.ini",
    "requirements.txt", "ruff.toml", "setup.cfg", "setup.py", "tox.ini",
}  # fmt: skip
"""Tools are configured in pyproject.toml, versions in constraints.txt."""

TEXT = {
    "",
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".json",
    ".mako",
    ".md",
    ".py",
    ".rst",
    ".sh",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}

MACHINE_PATH = re.compile(r"(?<![\w.$}/>)])/(?:work|root|home|Users|tmp|mnt|media|workspace)/[\w.-]")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55\ufe0f]")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b[Ff]or now\b")


def _lines(files: list[Path]):
    for path in files:
        if path.suffix in TEXT:
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            yield from ((path, number, line) for number, line in enumerate(text.splitlines(), 1))


def test_one_configuration_per_tool(root: Path, repository_files: list[Path]) -> None:
    hidden = [path for path in root.iterdir() if path.is_file() and path.name.startswith(".")]
    wrong = [path.relative_to(root) for path in {*repository_files, *hidden} if path.name in CONFIGURATION_ELSEWHERE]
    assert not wrong, f"configure tools in pyproject.toml: {sorted(map(str, wrong))}"


def test_no_paths_of_one_machine(root: Path, repository_files: list[Path]) -> None:
    wrong = [
        f"{path.relative_to(root)}:{number} {line.strip()[:120]}"
        for path, number, line in _lines(repository_files)
        if MACHINE_PATH.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_emoji(root: Path, repository_files: list[Path]) -> None:
    """Code that has to know one writes its name: "\\N{LINK SYMBOL}". Tests may send any text."""
    wrong = [
        f"{path.relative_to(root)}:{number} {line.strip()[:80]}"
        for path, number, line in _lines(repository_files)
        if path.suffix in (".md", ".py", ".toml", "") and "tests" not in path.parts and EMOJI.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_unfinished_marks(modules) -> None:
    wrong = [
        f"{module}:{number} {line.strip()[:100]}"
        for module in modules
        for number, line in enumerate(module.lines, 1)
        if UNFINISHED.search(line)
    ]
    assert not wrong, "\n".join(wrong)
