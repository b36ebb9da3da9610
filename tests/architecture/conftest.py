"""The parsed source that the architecture tests look at: every module of `src/`, its tree, its lines, its comments."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


class Module:
    """One file of `src/`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = path.relative_to(ROOT).as_posix()
        parts = path.relative_to(SRC).with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.text = path.read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        self.tree = ast.parse(self.text, filename=self.where)

    def __repr__(self) -> str:
        return self.where

    @cached_property
    def comments(self) -> dict[int, str]:
        """Line number -> comment, without the hash."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        return [node for node in self.nodes if isinstance(node, ast.ClassDef)]

    @cached_property
    def imports(self) -> list[tuple[int, str, str | None]]:
        """(line, module, name or None) of every import, wherever it stands; relative ones made absolute."""
        return [found for node in self.nodes for found in self._imported(node)]

    def _imported(self, node: ast.AST) -> Iterator[tuple[int, str, str | None]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
                package = package[: len(package) - node.level + 1]
                base = ".".join([*package, base]) if base else ".".join(package)
            for alias in node.names:
                yield node.lineno, base, alias.name

    def reason(self, line: int) -> str:
        """The comment on the line or on the one above it, `noqa` and `type: ignore` marks taken out."""
        texts = (self.comments.get(line, ""), self.comments.get(line - 1, ""))
        return " ".join(_bare(text) for text in texts).strip()


def _bare(comment: str) -> str:
    """`noqa: BLE001 a callback may raise anything` -> `a callback may raise anything`."""
    comment = re.sub(r"\bnoqa(:\s*[A-Z]+\d+(\s*,\s*[A-Z]+\d+)*)?", "", comment)
    comment = re.sub(r"\b(type|pyright):\s*ignore(\[[^\]]*\])?", "", comment)
    return comment.strip(" #-:;,.")


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """All of `src/vectis`, by path."""
    found = [Module(path) for path in sorted((SRC / "vectis").rglob("*.py"))]
    assert found, "no source found"
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def repository_files() -> list[Path]:
    """Every file that is or would be committed: no hidden tool folders, no build output, no binary suffixes."""
    skipped = {"__pycache__", "build", "dist", "node_modules", ".venv", ".git"}
    kept_hidden = {".ci", ".github", ".gitignore", ".dockerignore"}

    def walk(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path.name in skipped or (path.name.startswith(".") and path.name not in kept_hidden):
                continue
            if path.is_dir():
                if not path.name.endswith(".egg-info"):
                    yield from walk(path)
            else:
                yield path

    return list(walk(ROOT))
