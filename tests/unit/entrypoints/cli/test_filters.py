"""Filters as typed."""

import msgspec
import pytest
import typer

from vectis.domain.filters import Filter, check
from vectis.entrypoints.cli.terminal.filters import read_filter


def test_nothing_typed_is_no_filter() -> None:
    assert read_filter([]) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("lang=python", "python"), ("year=2024", 2024), ("open=true", True), ('year="2024"', "2024"), ("a=b=c", "b=c"),
     ("version=3.10", "3.10"), ("empty=", "")],
)  # fmt: skip
def test_equality(text: str, value: object) -> None:
    wanted = read_filter([text])
    assert wanted == {"must": [{"key": text.partition("=")[0], "match": {"value": value}}]}


def test_several_must_all_hold_and_the_server_can_read_them() -> None:
    wanted = read_filter(["lang=python", '{"should": [{"key": "year", "range": {"gte": 2020}}]}'])
    check(msgspec.convert(wanted, Filter))
    assert wanted is not None
    assert [set(part) for part in wanted["must"]] == [{"must"}, {"should"}]


@pytest.mark.parametrize("text", ["python", "=python", "{not json}"])
def test_unreadable(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_filter([text])
