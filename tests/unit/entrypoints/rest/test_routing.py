"""Finding the endpoint."""

import pytest
from starlette.types import Receive, Scope, Send

from vectis.domain.errors import MethodNotAllowed, RouteNotFound
from vectis.entrypoints.rest.routing import RouteIndex


async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for any."""


ROUTES = RouteIndex(
    [
        ("list", "GET", "/c", endpoint),
        ("make", "POST", "/c", endpoint),
        ("many", "POST", "/c/{c}/d/delete", endpoint),
        ("one", "GET", "/c/{c}/d/{id:path}", endpoint),
        ("drop", "DELETE", "/c/{c}/d/{id:path}", endpoint),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("GET", "/c", "list", {}),
        ("POST", "/c", "make", {}),
        ("GET", "/c/x/d/a/b c.md", "one", {"c": "x", "id": "a/b c.md"}),
        ("DELETE", "/c/x/d/a", "drop", {"c": "x", "id": "a"}),
        ("POST", "/c/x/d/delete", "many", {"c": "x"}),
        ("GET", "/c/x/d/delete", "one", {"c": "x", "id": "delete"}),
    ],
)
def test_found(method: str, path: str, name: str, parameters: dict[str, str]) -> None:
    found = ROUTES.find(method, path)
    assert (found.name, found.parameters) == (name, parameters)


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        ROUTES.find("PUT", "/c")
    assert raised.value.fields["allowed"] == "GET, POST"
    with pytest.raises(MethodNotAllowed):
        ROUTES.find("PUT", "/c/x/d/a")


@pytest.mark.parametrize("path", ["/", "/c/", "/c/x", "/c/x/e/a", "//c"])
def test_no_route(path: str) -> None:
    with pytest.raises(RouteNotFound):
        ROUTES.find("GET", path)
