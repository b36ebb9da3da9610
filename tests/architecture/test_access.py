"""No use case without a pass: services ask for one first, and a surface makes it in one place."""

import ast

WITHOUT_PASS = {
    "ReadinessService.check": "health is public, and says nothing of any collection",
}
"""Use cases that anyone may call, each with its reason."""

PASS_MAKERS = {
    "vectis.domain.access",
    "vectis.entrypoints.rest.operation",
    "vectis.entrypoints.rest.reception",
    "vectis.catalog.jobs",
    "vectis.rollouts.building",
    "vectis.rollouts.reconciler",
    "vectis.runtime.wiring.rollouts",
    "vectis.runtime.wiring.local_acts",
    "vectis.runtime.wiring.worker",
}
"""Who makes passes: the surface from the operation's declaration, background work as the system."""


def _use_cases(modules):
    for module in modules:
        for node in module.classes:
            if node.name.endswith("Service"):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and not method.name.startswith("_"):
                        yield module, node, method


def test_every_use_case_takes_its_pass_first(modules) -> None:
    wrong = []
    for module, node, method in _use_cases(modules):
        first = method.args.args[1].annotation if len(method.args.args) > 1 else None
        asked = ast.unparse(first) if first is not None else ""
        if "Pass" not in asked and f"{node.name}.{method.name}" not in WITHOUT_PASS:
            wrong.append(f"{module}:{method.lineno} {node.name}.{method.name} takes no pass")
    assert not wrong, "\n".join(wrong)


def _looks(node: ast.ClassDef, method: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
    """Whether the method requires a permission of its pass, or hands `by` to one of its own class that does."""
    if "require(Permission." in ast.unparse(method):
        return True
    handed_to = {
        call.func.attr
        for call in ast.walk(method)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and any(isinstance(argument, ast.Name) and argument.id == "by" for argument in call.args)
    } - seen
    return any(
        _looks(node, other, seen | handed_to)
        for other in node.body
        if isinstance(other, ast.FunctionDef | ast.AsyncFunctionDef) and other.name in handed_to
    )


def test_every_pass_is_looked_at(modules) -> None:
    wrong = [
        f"{module}:{method.lineno} {node.name}.{method.name} does not look at its pass"
        for module, node, method in _use_cases(modules)
        if f"{node.name}.{method.name}" not in WITHOUT_PASS and not _looks(node, method)
    ]
    assert not wrong, "\n".join(wrong)


def test_those_without_a_pass_are_there(modules) -> None:
    there = {f"{node.name}.{method.name}" for _, node, method in _use_cases(modules)}
    assert WITHOUT_PASS.keys() <= there


def test_passes_are_made_in_few_places(modules) -> None:
    makers = {
        module.name
        for module in modules
        for _, imported, name in module.imports
        if imported == "vectis.domain.access" and name in ("authorize", "authorize_on", "_SEAL")
    }
    assert makers <= PASS_MAKERS, f"these make passes and are not in PASS_MAKERS: {sorted(makers - PASS_MAKERS)}"
