"""Modules: no cycles, no imports in the middle, none that nothing needs, each with a few lines that say what lives in it."""

import ast
import statistics
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

LINES_MAX = 400
LINES_MEDIAN_MAX = 150

LONG_DOCSTRINGS = {"vectis.domain.errors": "draws the whole error tree"}

FOUND_BY_NAME = {
    "vectis.adapters.sql.migrations.": "Alembic finds its environment and versions by folder",
    "vectis.adapters.memory.": "the memory adapters are for tests and for users who test their own code",
    "vectis.rollouts.": "benchmarks/judging.py judges simulated canaries; in src the reconciler of rollouts will",
}
"""Modules that nobody in src imports, with the reason."""


def _is_only_docstring(module) -> bool:
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in module.tree.body)


def _is_main_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":` marks a process main, started as `python -m`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def _internal_imports(module, names: set[str]) -> dict[str, int]:
    """Imported module of ours -> line. `from vectis.a import b` is vectis.a.b when that is a module."""
    found: dict[str, int] = {}
    for line, base, name in module.imports:
        for candidate in (f"{base}.{name}" if name else base, base):
            if candidate in names:
                found.setdefault(candidate, line)
                break
    return found


def test_no_module_cycles(modules) -> None:
    names = {module.name for module in modules}
    graph = {module.name: set(_internal_imports(module, names)) - {module.name} for module in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError("module cycle: " + " -> ".join(reversed(error.args[1]))) from None


def test_internal_imports_stand_at_the_top(modules) -> None:
    wrong = []
    for module in modules:
        top = {node.lineno for node in module.tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
        for line, imported, _ in module.imports:
            if imported.partition(".")[0] == "vectis" and line not in top:
                wrong.append(f"{module}:{line} imports {imported} below the top: a hidden cycle or a hidden dependency")
    assert not wrong, "\n".join(wrong)


def test_late_imports_of_drivers_say_why(modules) -> None:
    wrong = []
    for module in modules:
        for function in module.functions:
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom) and not module.reason(node.lineno):
                    wrong.append(f"{module}:{node.lineno} imports inside a function and does not say why")
    assert not wrong, "\n".join(wrong)


def test_module_length(modules) -> None:
    lengths = {module: len(module.lines) for module in modules if not _is_only_docstring(module)}
    long = [f"{module}: {lines} lines (at most {LINES_MAX})" for module, lines in lengths.items() if lines > LINES_MAX]
    assert not long, "\n".join(long)
    median = statistics.median(lengths.values())
    assert median <= LINES_MEDIAN_MAX, f"the median module has {median} lines (at most {LINES_MEDIAN_MAX})"


def test_module_docstrings(modules) -> None:
    wrong = []
    for module in modules:
        docstring = ast.get_docstring(module.tree)
        if not docstring:
            wrong.append(f"{module}: no docstring; say in 1 to 5 lines what lives here and what does not")
        elif len(docstring.splitlines()) > 5 and module.name not in LONG_DOCSTRINGS:
            wrong.append(f"{module}: the docstring has {len(docstring.splitlines())} lines (at most 5)")
    assert not wrong, "\n".join(wrong)


def test_no_module_that_nothing_needs(modules, root: Path) -> None:
    names = {module.name for module in modules}
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    needed = {target.partition(":")[0] for target in scripts.values()}
    for module in modules:
        needed |= _internal_imports(module, names).keys() - {module.name}
        strings = [
            node.value for node in module.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        needed |= {text.partition(":")[0] for text in strings if text.startswith("vectis.")}
        if any(name == "import_module" for _, _, name in module.imports):
            beside = module.name.rpartition(".")[0]
            needed |= {name for name in names if name.startswith(beside) and name.rpartition(".")[2] in strings}
        if any(_is_main_guard(node) for node in module.tree.body):
            needed.add(module.name)
    wrong = [
        f"{module}: nothing imports it, starts it (`python -m`) or names it"
        for module in modules
        if not module.is_package
        and module.name not in needed
        and not any(module.name.startswith(prefix) for prefix in FOUND_BY_NAME)
    ]
    assert not wrong, "\n".join(wrong)
