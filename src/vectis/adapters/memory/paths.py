"""Payload paths as the engine reads them: `a.b`, `a[].b`, `a[0]`, `"a key".b`; the values they select, and projection.

Tree of a projection: keys to True (everything below) or to a tree; None stands for every element of an array.
"""

import re
from functools import lru_cache
from typing import Any, cast

from vectis.domain.points import Payload

Step = str | int | None
"""A key of an object, an index of an array, or None for each element of an array."""

Tree = dict[Step, "Tree | bool"]

_KEY = re.compile(r'"([^"]+)"|((?:[^\W_]|[_-])+)')
_BRACKETS = re.compile(r"\[(\d*)\]")


@lru_cache(maxsize=1024)
def parse(path: str) -> tuple[Step, ...]:
    """The steps of `path`. ValueError when it is not a path."""
    steps: list[Step] = []
    at = 0
    while True:
        key = _KEY.match(path, at)
        if key is None:
            raise ValueError(f"not a payload path: {path[:80]!r}")
        steps.append(key[1] or key[2])
        at = key.end()
        while brackets := _BRACKETS.match(path, at):
            steps.append(int(brackets[1]) if brackets[1] else None)
            at = brackets.end()
        if at == len(path):
            return tuple(steps)
        if path[at] != ".":
            raise ValueError(f"not a payload path: {path[:80]!r}")
        at += 1


def select(payload: Payload, path: str) -> list[Any]:
    """The values at `path`, arrays as they are; empty when there is none."""
    found: list[Any] = [payload]
    for step in parse(path):
        found = [value for node in found for value in _step(node, step)]
    return found


def flat(values: list[Any]) -> list[Any]:
    """Values with arrays opened by one level: what a condition on a key is held against."""
    opened: list[Any] = []
    for value in values:
        opened.extend(cast("list[Any]", value) if isinstance(value, list) else (value,))
    return opened


@lru_cache(maxsize=256)
def projection(keys: tuple[str, ...]) -> Tree:
    """The tree that `project` keeps. ValueError when a key is not a path. Shared: do not change it."""
    root: Tree = {}
    for key in keys:
        *parents, last = parse(key)
        node = root
        for step in parents:
            below = node.setdefault(step, {})
            if isinstance(below, bool):
                break
            node = below
        else:
            node[last] = True
    return root


def project(value: Any, tree: Tree) -> Any:
    """The part of a payload that `tree` names; an index selects nothing, as in the engine."""
    if isinstance(value, dict):
        kept: Payload = {}
        for key, below in cast("Payload", value).items():
            branch = tree.get(key)
            if branch is not None:
                kept[key] = below if isinstance(branch, bool) else project(below, branch)
        return kept
    if isinstance(value, list):
        branch = tree.get(None)
        if branch is None:
            return []
        items = cast("list[Any]", value)
        return items if isinstance(branch, bool) else [project(item, branch) for item in items]
    return value


def _step(node: Any, step: Step) -> list[Any]:
    if isinstance(step, str):
        return [node[step]] if isinstance(node, dict) and step in node else []
    if not isinstance(node, list):
        return []
    items = cast("list[Any]", node)
    if step is None:
        return items
    return [items[step]] if step < len(items) else []
