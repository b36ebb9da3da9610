"""From method and path to an endpoint: paths without parameters by one look-up, the others by their patterns in order."""

from collections.abc import Iterable
from typing import NamedTuple

from starlette.routing import compile_path
from starlette.types import ASGIApp

from vectis.domain.errors import MethodNotAllowed, RouteNotFound


class Found(NamedTuple):
    """What answers a request, under what name it is counted, and its path parameters."""

    name: str
    endpoint: ASGIApp
    parameters: dict[str, str]


class RouteIndex:
    """All routes of a surface. Of patterns that fit and take the method, the one that was added first wins."""

    def __init__(self, routes: Iterable[tuple[str, str, str, ASGIApp]]) -> None:
        """`routes` are (name, method, path, endpoint); a path may hold `{name}` and `{name:path}`."""
        self._exact: dict[str, dict[str, Found]] = {}
        by_pattern: dict[str, dict[str, tuple[str, ASGIApp]]] = {}
        for name, method, path, endpoint in routes:
            if "{" in path:
                by_pattern.setdefault(path, {})[method] = (name, endpoint)
            else:
                self._exact.setdefault(path, {})[method] = Found(name, endpoint, {})
        self._patterns = [(compile_path(path)[0], methods) for path, methods in by_pattern.items()]

    def find(self, method: str, path: str) -> Found:
        """The endpoint. Raises RouteNotFound, or MethodNotAllowed naming the methods that the path has."""
        exact = self._exact.get(path)
        if exact is not None:
            found = exact.get(method)
            if found is None:
                raise _not_allowed(method, path, exact)
            return found
        allowed: set[str] = set()
        for pattern, methods in self._patterns:
            match = pattern.match(path)
            if match is not None and method in methods:
                name, endpoint = methods[method]
                return Found(name, endpoint, match.groupdict())
            allowed |= methods.keys() if match is not None else set()
        if allowed:
            raise _not_allowed(method, path, allowed)
        raise RouteNotFound(
            f"{path[:200]} is no route of this server; /openapi.json lists them", method=method, path=path[:200]
        )


def _not_allowed(method: str, path: str, methods: Iterable[str]) -> MethodNotAllowed:
    allowed = ", ".join(sorted(methods))
    return MethodNotAllowed(f"{path[:200]} does not take {method}; it takes {allowed}", method=method, allowed=allowed)
