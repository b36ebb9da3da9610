"""The words of the glossary are the words of the code: what its last column forbids names no class and no function."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

HAS_ANOTHER_MEANING = {
    "environment": "environment variables; what a server runs in",
    "index": "payload index, HNSW index",
    "node": "a node of a parsed document or of the ONNX graph",
    "process": "an operating-system process",
    "row": "a row of a table on screen or in SQL",
    "state": "JobState, ProcessState, CollectionState",
    "status": "an HTTP or exit status",
    "store": "the control store; storing",
    "table": "RouteTable; a table in a document, on screen or in SQL",
}
"""Words that the glossary forbids for one thing and that are right for another, with that other."""


def _forbidden(root: Path) -> dict[str, str]:
    """Forbidden words, snake_case -> what to say instead."""
    rows = re.findall(
        r"^\| (?!---|word \|)(.+?) \| .+? \| (.*?) \|$", (root / "docs/glossary.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 20, "the table of docs/glossary.md was not understood"
    found: dict[str, str] = {}
    for word, column in rows:
        for forbidden in re.sub(r"\(.*?\)", "", column).split(","):
            if forbidden.strip():
                found[re.sub(r"\W+", "_", forbidden.strip().lower())] = word
    return found


NAMED_BY_OTHERS = {"handle_async_request": "httpx.AsyncBaseTransport"}
"""Names that a library has chosen -> which."""


def _names(root: Path):
    for path in sorted((root / "src/vectis").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if named and node.name not in NAMED_BY_OTHERS:
                yield f"{path.relative_to(root)}:{node.lineno}", node.name


def _used(root: Path, forbidden: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(where, name, forbidden word) of every name that holds one."""
    for where, name in _names(root):
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().strip("_")
        yield from ((where, name, word) for word in forbidden if f"_{word}_" in f"_{snake}_")


def test_names_use_the_words_of_the_glossary(root: Path) -> None:
    forbidden = {word: instead for word, instead in _forbidden(root).items() if word not in HAS_ANOTHER_MEANING}
    wrong = [
        f"{where} {name}: say {forbidden[word]!r}, not {word!r} (docs/glossary.md)"
        for where, name, word in _used(root, forbidden)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_excuse_is_needed(root: Path) -> None:
    unknown = HAS_ANOTHER_MEANING.keys() - _forbidden(root).keys()
    assert not unknown, f"not forbidden by the glossary, so no excuse is needed: {sorted(unknown)}"
    idle = HAS_ANOTHER_MEANING.keys() - {word for _, _, word in _used(root, HAS_ANOTHER_MEANING)}
    assert not idle, f"no name holds these, so no excuse is needed: {sorted(idle)}"
