"""Names: one class per name, no words that say nothing, none that nothing uses."""

import ast
import re
import tomllib
from collections import defaultdict
from pathlib import Path

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

EMPTY_WORDS = (
    {"manager", "managers", "helper", "helpers", "util", "utils", "utility", "utilities", "common", "misc"}
    | {"data", "info", "enhanced", "advanced", "unified", "smart", "v2", "new", "simple"}
)  # fmt: skip

TERMS = ("data_folder", "data_dir")
"""Words for one thing that happen to hold an empty word: the folder that a server owns, and its option."""

NAMED_BY_OTHERS = {
    "data_received": "asyncio.Protocol",
    "vectis.adapters.openai.embedder:data": "a key of the answer, as OpenAI named it",
    "vectis.adapters.minilm.safetensors:data_offsets": "a key of the file format",
}
"""Names that a library or a format has chosen."""

USED_FROM_OUTSIDE = {
    "vectis.adapters.sql.migrations.": "Alembic calls and reads what its environment and versions define",
    "vectis.adapters.memory.": "the memory adapters are for tests and for users who test their own code",
}
"""Modules whose names have users that are not in src, with the reason."""

NEEDED_UNSEEN: dict[str, str] = {}
"""`module:name` -> why it stays although nothing in src mentions it."""

PASSIVE_DECORATORS = {
    "abstractmethod", "asynccontextmanager", "cache", "cached_property", "classmethod", "contextmanager", "dataclass",
    "final", "lru_cache", "overload", "override", "property", "runtime_checkable", "setter", "staticmethod", "total_ordering",
}  # fmt: skip
"""Decorators that register nothing: what they decorate still needs a user. Any other hands the function to a framework."""

NAME_IN_STRING = re.compile(r"[\w.:\[\]]+( \| [\w.\[\]]+)*")
"""`Filter | None`, `vectis.entrypoints.rest.app:create`, `points`; not prose."""


def words(name: str) -> list[str]:
    """`HTTPRouteTable`, `route_table` -> route, table and so on, in lower case; agreed terms taken out."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    for term in TERMS:
        snake = snake.replace(term, "")
    return [word for word in snake.split("_") if word]


def _defined(module):
    """(line, name) of everything the module names for others: itself, classes, functions, fields, constants."""
    yield 1, module.name.rpartition(".")[2]
    for node in module.nodes:
        if isinstance(node, Definition) and not node.name.startswith("__"):
            yield node.lineno, node.name
        if isinstance(node, ast.ClassDef | ast.Module):
            for statement in node.body:
                yield from ((statement.lineno, name) for name in _assigned(statement))


def _assigned(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case _:
            return []


def test_no_empty_words(modules) -> None:
    wrong = [
        f"{module}:{line} `{name}`: `{'`, `'.join(empty)}` says nothing; name what it is or does"
        for module in modules
        for line, name in _defined(module)
        if (empty := sorted(set(words(name)) & EMPTY_WORDS))
        and not {name, f"{module.name}:{name}"} & NAMED_BY_OTHERS.keys()
    ]
    assert not wrong, "\n".join(wrong)


def test_no_class_name_twice(modules) -> None:
    places = defaultdict(list)
    for module in modules:
        for node in module.classes:
            places[node.name].append(f"{module}:{node.lineno}")
    wrong = [f"class {name}: {', '.join(at)}" for name, at in sorted(places.items()) if len(at) > 1]
    assert not wrong, "\n".join(wrong)


def test_one_service_per_feature(modules) -> None:
    floors_without = ("domain", "adapters", "runtime", "entrypoints")
    services = defaultdict(list)
    for module in modules:
        for node in module.classes:
            if node.name.endswith("Service"):
                services[module.name.split(".")[1]].append(f"{module}:{node.lineno} {node.name}")
    wrong = [at for package, found in services.items() for at in found if package in floors_without or len(found) > 1]
    assert not wrong, "`Service` is for the one use-case class of a feature:\n" + "\n".join(wrong)


def _uses(module) -> set[str]:
    """Every identifier the module mentions other than by defining it; strings count when they are a name or a path to one."""
    found: set[str] = set()
    for node in module.nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                found.add(name)
            case ast.Attribute(attr=name, ctx=ast.Load()):
                found.add(name)
            case ast.ImportFrom(names=aliases):
                found |= {alias.name for alias in aliases}
            case ast.keyword(arg=str(name)):
                found.add(name)
            case ast.MatchClass(kwd_attrs=names):
                found |= set(names)
            case ast.Constant(value=str(text)) if NAME_IN_STRING.fullmatch(text):
                found |= set(re.findall(r"\w+", text))
    return found


def _is_registered(node: ast.AST) -> bool:
    for decorator in getattr(node, "decorator_list", []):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name not in PASSIVE_DECORATORS:
            return True
    return False


def _bases(node: ast.ClassDef) -> set[str]:
    """`Protocol`, `asyncio.Protocol`; type arguments taken off."""
    return {ast.unparse(base).partition("[")[0].removeprefix("msgspec.").removeprefix("enum.") for base in node.bases}


def _used_names(modules, root: Path) -> set[str]:
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    used = {target.partition(":")[2] for target in scripts.values()}
    for module in modules:
        used |= _uses(module)
    return used


def test_no_public_name_that_nothing_uses(modules, root: Path) -> None:
    used = _used_names(modules, root)
    wrong = []
    for module in modules:
        if any(module.name.startswith(prefix) for prefix in USED_FROM_OUTSIDE):
            continue
        for statement in module.tree.body:
            names = _assigned(statement)
            if isinstance(statement, Definition):
                names = [] if _is_registered(statement) else [statement.name]
            wrong += [
                f"{module}:{statement.lineno} {name}"
                for name in names
                if not name.startswith("_") and name not in used and f"{module.name}:{name}" not in NEEDED_UNSEEN
            ]
    assert not wrong, "nothing in src (tests aside) uses:\n" + "\n".join(wrong)


def test_no_public_method_that_nothing_calls(modules, root: Path) -> None:
    """A method counts as used when anything in src mentions its name. Of a port and its adapters, the port is reported."""
    used = _used_names(modules, root)
    promised = {
        method.name
        for module in modules
        for node in module.classes
        if "Protocol" in _bases(node)
        for method in node.body
        if isinstance(method, Definition)
    }
    ours = {node.name for module in modules for node in module.classes}
    known_bases = ours | {"Protocol", "Struct", "StrEnum", "Enum", "Exception", "Generic", "ABC"}
    wrong = []
    for module in modules:
        for node in module.classes:
            if _bases(node) - known_bases or any(module.name.startswith(prefix) for prefix in USED_FROM_OUTSIDE):
                continue
            seen_elsewhere = used if "Protocol" in _bases(node) else used | promised
            wrong += [
                f"{module}:{method.lineno} {node.name}.{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
                and not method.name.startswith("_")
                and not _is_registered(method)
                and method.name not in seen_elsewhere
                and f"{module.name}:{node.name}.{method.name}" not in NEEDED_UNSEEN
            ]
    assert not wrong, "nothing in src (tests aside) calls:\n" + "\n".join(wrong)


def test_every_field_that_callers_may_write_is_read(modules) -> None:
    """A field of a Shape (a body, a setting) that nothing reads would be accepted and ignored."""
    read: set[str] = set()
    for module in modules:
        for node in module.nodes:
            match node:
                case ast.Attribute(attr=name, ctx=ast.Load()) | ast.Constant(value=str(name)):
                    read.add(name)
                case ast.MatchClass(kwd_attrs=names):
                    read |= set(names)
                case _:
                    continue
    wrong = [
        f"{module}:{statement.lineno} {node.name}.{name}"
        for module in modules
        for node in module.classes
        if "Shape" in _bases(node)
        for statement in node.body
        for name in _assigned(statement)
        if name not in read
    ]
    assert not wrong, "nothing reads:\n" + "\n".join(wrong)
