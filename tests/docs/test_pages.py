"""What pages point at is there: links, anchors, files named in the text; and what is made from the code is up to date."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")
NAMED_FILE = re.compile(r"(?<![\w/.-])(?:src|tests|docs|examples|benchmarks|\.ci)/[\w./-]*\w")
DECISION_PARTS = ("## Context", "## Decision", "## Consequences", "## What enforces it")
DECISION_LINES_MAX = 60


def test_links_lead_somewhere(page, root: Path) -> None:
    anchors = {root / page.name: page.anchors}
    wrong = []
    for match in LINK.finditer(page.prose):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (page.path.parent / name).resolve() if name else page.path
        if not file.exists():
            wrong.append(f"{target}: no such file")
        elif anchor and file.suffix == ".md":
            known = anchors.get(file) or type(page)(file).anchors
            if anchor not in known:
                wrong.append(f"{target}: no such heading")
    assert not wrong, f"{page.name}: " + "; ".join(wrong)


def test_files_that_are_named_are_there(page, root: Path) -> None:
    named = {match.group() for match in NAMED_FILE.finditer(page.text)}
    wrong = sorted(name for name in named if not (root / name).exists())
    assert not wrong, f"{page.name} names what is not there: {', '.join(wrong)}"


def test_architecture_names_every_package(root: Path) -> None:
    text = (root / "docs/architecture.md").read_text()
    source = root / "src/vectis"
    packages = [path.parent.relative_to(source).as_posix() for path in source.rglob("__init__.py")]
    floors = [
        name
        for name in packages
        if name != "." and (name.count("/") == 0 or name.startswith(("adapters", "entrypoints")))
    ]
    wrong = [name for name in floors if name.count("/") < 2 and not re.search(rf"\b{name.split('/')[-1]}\b", text)]
    assert not wrong, f"docs/architecture.md does not say what lives in {wrong}"


def test_decisions_are_one_screen_with_all_parts(root: Path) -> None:
    pages = sorted((root / "docs/decisions").glob("*.md"))
    assert [path.name[:4] for path in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for path in pages:
        text = path.read_text()
        missing = [part for part in DECISION_PARTS if part not in text]
        assert not missing, f"{path.name}: {missing} missing"
        assert len(text.splitlines()) <= DECISION_LINES_MAX, f"{path.name} is longer than a screen"


@pytest.fixture(scope="module")
def generated(root: Path) -> dict[str, Callable[[], str]]:
    """File name -> what makes the page."""
    return runpy.run_path(str(root / "docs/generate.py"))["PAGES"]


def test_generated_pages_are_up_to_date(generated: dict[str, Callable[[], str]], root: Path) -> None:
    folder = root / "docs/reference"
    wrong = [name for name, make in generated.items() if not _equals(folder / name, make())]
    wrong += [path.name for path in folder.iterdir() if path.name not in generated]
    assert not wrong, (
        f"run `make docs` and remove what it does not make; out of date in docs/reference: {sorted(wrong)}"
    )


def _equals(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text
