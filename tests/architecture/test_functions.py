"""Functions: short, catching what they can name, waiting only where they say why, with no dice."""

import ast

LINES_MAX = 70
LINES_MOSTLY_MAX = 45
SHARE_WITHIN_MOSTLY_MAX = 0.95
BROAD_EXCEPTS_PER_1000_LINES = 0.5

BROAD = {"Exception", "BaseException"}
SEEDED = {"default_rng", "Generator"}


def _lines(function) -> int:
    return function.end_lineno - function.lineno + 1


def test_function_length(modules) -> None:
    wrong = [
        f"{module}:{function.lineno} {function.name}: {_lines(function)} lines (at most {LINES_MAX})"
        for module in modules
        for function in module.functions
        if _lines(function) > LINES_MAX
    ]
    assert not wrong, "\n".join(wrong)


def test_most_functions_are_short(modules) -> None:
    lengths = [(_lines(f), f"{module}:{f.lineno} {f.name}") for module in modules for f in module.functions]
    longer = sorted((pair for pair in lengths if pair[0] > LINES_MOSTLY_MAX), reverse=True)
    allowed = len(lengths) * (1 - SHARE_WITHIN_MOSTLY_MAX)
    listing = "\n".join(f"  {lines} {where}" for lines, where in longer)
    assert len(longer) <= allowed, (
        f"{len(longer)} of {len(lengths)} functions have more than {LINES_MOSTLY_MAX} lines ({allowed:.0f} may):\n{listing}"
    )


def _named(expression: ast.expr | None) -> set[str]:
    if expression is None:
        return {"BaseException"}
    parts = expression.elts if isinstance(expression, ast.Tuple) else [expression]
    return {part.id if isinstance(part, ast.Name) else getattr(part, "attr", "") for part in parts}


def _caught(node: ast.AST) -> list[ast.expr | None]:
    """The expressions that name what an `except` or a `suppress` catches; None for a bare except."""
    match node:
        case ast.ExceptHandler(type=expression):
            return [expression]
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=expressions):
            return list(expressions)
        case _:
            return []


def _broad_excepts(modules):
    for module in modules:
        for node in module.nodes:
            if any(_named(expression) & BROAD for expression in _caught(node)):
                yield module, node.lineno


def test_broad_excepts_are_rare(modules) -> None:
    found = [f"  {module}:{line}" for module, line in _broad_excepts(modules)]
    lines = sum(len(module.lines) for module in modules)
    allowed = max(1, round(lines / 1000 * BROAD_EXCEPTS_PER_1000_LINES))
    assert len(found) <= allowed, f"{len(found)} broad excepts in {lines} lines ({allowed} may):\n" + "\n".join(found)


def test_broad_excepts_say_why(modules) -> None:
    wrong = [
        f"{module}:{line} catches everything and does not say why, on the line or above"
        for module, line in _broad_excepts(modules)
        if not module.reason(line)
    ]
    assert not wrong, "\n".join(wrong)


def _calls(module, owner: str, attribute: str):
    for node in module.nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if (name, attr) == (owner, attribute):
                yield node
            case _:
                continue


def test_no_sleeping(modules) -> None:
    wrong = []
    for module in modules:
        wrong += [f"{module}:{call.lineno} time.sleep blocks" for call in _calls(module, "time", "sleep")]
        for line, imported, name in module.imports:
            if imported in ("time", "asyncio") and name == "sleep":
                wrong.append(f"{module}:{line} imports sleep bare; write asyncio.sleep, so that it is seen")
        for call in _calls(module, "asyncio", "sleep"):
            if not module.reason(call.lineno):
                wrong.append(
                    f"{module}:{call.lineno} sleeps and does not say, on the line or above, why nothing can be awaited"
                )
    assert not wrong, "\n".join(wrong)


def test_no_dice(modules) -> None:
    """Random numbers make simulated facts. Resampling takes a generator with a seed that is said."""
    wrong = []
    for module in modules:
        for line, imported, name in module.imports:
            if imported == "random" or (imported, name) == ("numpy", "random") or imported == "numpy.random":
                wrong.append(f"{module}:{line} imports random")
        for node in module.nodes:
            match node:
                case ast.Attribute(value=ast.Attribute(attr="random"), attr=name) if name not in SEEDED:
                    wrong.append(f"{module}:{node.lineno} uses random.{name}")
                case ast.Call(func=ast.Attribute(attr="default_rng"), args=[]):
                    wrong.append(f"{module}:{node.lineno} default_rng without a seed")
                case _:
                    continue
    assert not wrong, "\n".join(wrong)
