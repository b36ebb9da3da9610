"""The pages: README and everything under docs, their text without code, their fenced blocks."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[\w+-]*)[ ]*(?P<flags>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)


class Block:
    """One fenced block. Marked `run` after its language, it is run by test_blocks.py."""

    def __init__(self, page: Path, match: re.Match[str], text: str) -> None:
        self.language = match["language"]
        self.runs = "run" in match["flags"].split()
        self.body = match["body"]
        self.where = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"


class Page:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(ROOT).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.prose = FENCE.sub("", self.text)
        self.blocks = [Block(path, match, self.text) for match in FENCE.finditer(self.text)]

    @property
    def anchors(self) -> set[str]:
        """As GitHub makes them of headings."""
        headings = re.findall(r"^#{1,6} (.+?)\s*#*$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in headings}


PAGES = [Page(path) for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.exists()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`page`: every page. `running_page`: those with blocks marked `run`."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=lambda page: page.name)
    if "running_page" in metafunc.fixturenames:
        pages = [page for page in PAGES if any(block.runs for block in page.blocks)]
        metafunc.parametrize("running_page", pages, ids=lambda page: page.name)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
