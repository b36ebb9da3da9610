"""What becomes of a server's answers."""

import httpx
import pytest

from vectis.domain.errors import CollectionNotFound, EngineUnavailable, Unavailable, VectisError
from vectis.entrypoints.cli.server.api import Api, member, path_of, problem


def test_a_problem_becomes_the_error_of_its_code() -> None:
    answer = httpx.Response(
        503, json={"type": "t", "title": "T", "status": 503, "detail": "down", "code": "engine_unavailable",
                   "retry_after_s": 3.0, "request_id": "r"},
    )  # fmt: skip
    error = problem(answer, "here")
    assert isinstance(error, EngineUnavailable)
    assert (error.message, error.retry_after_s, error.fields["request_id"]) == ("down", 3.0, "r")


def test_a_code_of_a_later_version_is_kept() -> None:
    error = problem(httpx.Response(409, json={"detail": "no", "code": "later"}), "here")
    assert type(error) is VectisError
    assert error.fields["code"] == "later"


@pytest.mark.parametrize(("status", "kind"), [(502, Unavailable), (418, VectisError)])
def test_an_answer_without_problem_details_says_so(status: int, kind: type[VectisError]) -> None:
    error = problem(httpx.Response(status, text="<html>"), "http://there")
    assert type(error) is kind
    assert "http://there" in error.message


def test_paths_keep_slashes_and_escape_the_rest() -> None:
    assert path_of("docs", "guide/a b?.md") == "/docs/guide/a%20b%3F.md"


@pytest.mark.parametrize("value", [{}, {"a": None}])
def test_member_is_empty_when_absent_or_null(value: dict[str, object]) -> None:
    assert member(value, "a") == {}


async def test_refusals_are_raised_and_answers_given() -> None:
    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/collections/docs":
            return httpx.Response(200, json={"name": "docs", "asked": str(request.url.query, "ascii")})
        return httpx.Response(404, json={"detail": "no such collection", "code": "collection_not_found"})

    async with httpx.AsyncClient(base_url="http://stub", transport=httpx.MockTransport(server)) as http:
        api = Api(http, "stub")
        assert await api.get("/collections/docs", limit=3, source=None) == {"name": "docs", "asked": "limit=3"}
        with pytest.raises(CollectionNotFound, match="no such collection"):
            await api.delete("/collections/other")


async def test_nobody_listening_is_unavailable_and_says_where() -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as http:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
            await Api(http, "http://127.0.0.1:9").get("/collections")
