"""The error tree is closed, drawn as it is, and every error has a code of its own."""

import ast
import re

ERRORS = "vectis.domain.errors"


def _errors(modules):
    return next(module for module in modules if module.name == ERRORS)


def _code(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                return code
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(code))):
                return code
            case _:
                continue
    return None


def test_every_error_has_a_code_of_its_own(modules) -> None:
    codes: dict[str, str] = {}
    for node in _errors(modules).classes:
        code = _code(node)
        assert code, f"{node.name} defines no code"
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code), f"{node.name}: code {code!r} is not snake_case"
        assert code not in codes, f"{node.name} and {codes[code]} share the code {code!r}"
        codes[code] = node.name


def test_the_drawing_is_the_tree(modules) -> None:
    module = _errors(modules)
    drawn: dict[str, str | None] = {}
    path: list[tuple[int, str]] = []
    for line in (ast.get_docstring(module.tree) or "").splitlines():
        found = re.match(r"^(?P<lead>[\s│├└─]*)(?P<name>[A-Z]\w+)(\s{2,}.*)?$", line)
        if not found:
            continue
        depth = len(found["lead"])
        while path and path[-1][0] >= depth:
            path.pop()
        drawn[found["name"]] = path[-1][1] if path else None
        path.append((depth, found["name"]))
    written = {node.name: node.bases[0].id for node in module.classes if isinstance(node.bases[0], ast.Name)}
    assert drawn == {name: None if base == "Exception" else base for name, base in written.items()}


def test_no_errors_defined_elsewhere_are_public(modules) -> None:
    tree = {node.name for node in _errors(modules).classes}
    bases_of_errors = tree | {"Exception", "BaseException", "RuntimeError", "ValueError", "OSError", "LookupError"}
    wrong = [
        f"{module}:{node.lineno} {node.name}: an error that callers see belongs into {ERRORS}; make it private otherwise"
        for module in modules
        if module.name != ERRORS
        for node in module.classes
        if not node.name.startswith("_") and {getattr(base, "id", "") for base in node.bases} & bases_of_errors
    ]
    assert not wrong, "\n".join(wrong)
