"""The import contracts of pyproject.toml hold, and cover every package there is."""

import ast
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

DRIVER_OWNERS = {
    "aiosqlite": ["vectis.adapters.sql"],
    "alembic": ["vectis.adapters.sql"],
    "argon2": ["vectis.adapters.argon2"],
    "jwt": ["vectis.adapters.jwt"],
    "onnx": ["vectis.adapters.minilm"],
    "onnxruntime": ["vectis.adapters.crossencoder", "vectis.adapters.minilm"],
    "psycopg": ["vectis.adapters.sql"],
    "qdrant_client": ["vectis.adapters.qdrant"],
    "qdrant_edge": ["vectis.adapters.edge"],
    "redis": ["vectis.adapters.redis"],
    "sqlalchemy": ["vectis.adapters.sql", "vectis.adapters.durable"],
    "tokenizers": ["vectis.adapters.crossencoder", "vectis.adapters.minilm"],
    "starlette": ["vectis.entrypoints.rest"],
    "uvicorn": ["vectis.entrypoints.rest"],
    "typer": ["vectis.entrypoints.cli"],
    "rich": ["vectis.entrypoints.cli"],
}
"""Who may import a driver or a framework. Everyone else reaches it through a port or does not need it."""


def test_import_contracts(root: Path) -> None:
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    run = subprocess.run([command, "--no-logo", "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{command.name} says:\n{run.stdout}{run.stderr}"


def test_every_feature_is_kept_from_drivers(root: Path) -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    covered = set(next(c for c in contracts if c["id"] == "drivers")["source_modules"])
    packages = {f"vectis.{p.parent.name}" for p in (root / "src/vectis").glob("*/__init__.py")}
    features = packages - {"vectis.adapters", "vectis.runtime", "vectis.entrypoints"}
    assert features <= covered, f"add to source_modules of the contract `drivers`: {sorted(features - covered)}"


def _imported_by_string(module) -> list[tuple[int, str]]:
    """(line, module) of each `import_module("...")`."""
    return [
        (node.lineno, node.args[0].value)
        for node in module.nodes
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("import_module", "importlib.import_module")
        and isinstance(node.args[0], ast.Constant)
    ]


def test_a_driver_is_imported_by_its_owner_only(modules) -> None:
    wrong = []
    for module in modules:
        for line, imported in [(line, name) for line, name, _ in module.imports] + _imported_by_string(module):
            owners = DRIVER_OWNERS.get(imported.partition(".")[0])
            if owners and not any(module.name == owner or module.name.startswith(owner + ".") for owner in owners):
                wrong.append(f"{module}:{line} imports {imported}; only {' and '.join(owners)} may")
    assert not wrong, "\n".join(wrong)


def test_every_owner_of_a_driver_is_there(modules) -> None:
    names = {module.name for module in modules}
    gone = {owner for owners in DRIVER_OWNERS.values() for owner in owners} - names
    assert not gone, f"DRIVER_OWNERS names packages that are not there: {sorted(gone)}"


def test_domain_uses_the_standard_library_and_msgspec_only(modules) -> None:
    allowed = sys.stdlib_module_names | {"msgspec"}
    wrong = [
        f"{module}:{line} imports {imported}"
        for module in modules
        if module.name.startswith("vectis.domain")
        for line, imported, _ in module.imports
        if imported.partition(".")[0] not in allowed and not imported.startswith("vectis.domain")
    ]
    assert not wrong, "\n".join(wrong)


def test_domain_does_no_io_and_has_no_clock(modules) -> None:
    banned = {"asyncio", "http", "io", "logging", "os", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "time"}
    wrong = [
        f"{module}:{line} imports {imported}"
        for module in modules
        if module.name.startswith("vectis.domain")
        for line, imported, _ in module.imports
        if imported.partition(".")[0] in banned
    ]
    assert not wrong, "\n".join(wrong)
