"""Filters: decoding, the checks that name a place, and the forms of a date-time."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectis.domain.errors import InvalidFilter, InvalidInput
from vectis.domain.filters import (
    CONDITIONS_MAX,
    DEPTH_MAX,
    VALUES_MAX,
    Condition,
    Filter,
    Match,
    Nested,
    PayloadKey,
    ValuesCount,
    any_of,
    check,
    parse_datetime,
)


def checked(written: dict[str, Any]) -> Filter:
    decoded = msgspec.convert(written, Filter)
    check(decoded)
    return decoded


def refused(written: dict[str, Any]) -> InvalidFilter:
    with pytest.raises(InvalidFilter) as caught:
        checked(written)
    return caught.value


def deep(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"key": "k", "match": {"value": 1}}
    for _ in range(levels - 1):
        node = {"must": [node]}
    return {"must": [node]}


GOOD: list[dict[str, Any]] = [
    {},
    {"must": []},
    {"must": [{"key": "k", "match": {"value": ""}}]},
    {"must": [{"key": "k", "match": {"value": False}}]},
    {"must": [{"key": "k", "match": {"value": 0}}]},
    {"must": [{"key": "k", "match": {"any": []}}]},
    {"must": [{"key": "k", "match": {"except": ["a", "b"]}}]},
    {"must": [{"key": "k", "range": {"gte": 0}}]},
    {"must": [{"key": "k", "range": {"gte": "2024-01-01", "lt": "2024-01-02T00:00:00+01:00"}}]},
    {"must": [{"key": "k", "values_count": {"gt": 0}}]},
    {"must": [{"key": "k", "geo_radius": {"center": {"lon": -180, "lat": 90}, "radius": 0}}]},
    {"must_not": [{"is_empty": {"key": "k"}}, {"is_null": {"key": "k"}}, {"has_id": []}]},
    {"should": [{"nested": {"key": "k", "filter": {"must": [{"key": "v", "match": {"text": "a b"}}]}}}]},
    {"should": [{"must": [], "must_not": [{"has_id": [1, "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"]}]}]},
    deep(DEPTH_MAX),
]


@pytest.mark.parametrize("written", GOOD, ids=range(len(GOOD)))
def test_good_filters_pass_and_survive_encoding(written: dict[str, Any]) -> None:
    filter = checked(written)
    assert msgspec.json.decode(msgspec.json.encode(filter), type=Filter) == filter


BAD: list[tuple[dict[str, Any], str]] = [
    ({"must": [{}]}, "filter.must[0]"),
    ({"must": [{"key": "k"}]}, "filter.must[0]"),
    ({"must": [{"match": {"value": 1}}]}, "filter.must[0]"),
    ({"must": [{"key": "k", "has_id": [1]}]}, "filter.must[0]"),
    ({"must": [{"key": "k", "must": []}]}, "filter.must[0]"),
    ({"must": [{"has_id": [1]}, {"key": "k", "match": {"value": 1}, "range": {"gt": 1}}]}, "filter.must[1]"),
    ({"must": [{"has_id": [1], "should": []}]}, "filter.must[0]"),
    ({"should": [{"key": "k", "match": {}}]}, "filter.should[0].match"),
    ({"should": [{"key": "k", "match": {"value": 1, "text": "a"}}]}, "filter.should[0].match"),
    ({"should": [{"key": "k", "match": {"any": [1, "a"]}}]}, "filter.should[0].match"),
    ({"should": [{"key": "k", "match": {"except": ["a", 1]}}]}, "filter.should[0].match"),
    ({"must": [{"key": "k", "range": {}}]}, "filter.must[0].range"),
    ({"must": [{"key": "k", "range": {"gt": 1, "lt": "2024-01-01"}}]}, "filter.must[0].range"),
    ({"must": [{"key": "k", "range": {"gt": "yesterday"}}]}, "filter.must[0].range.gt"),
    ({"must": [{"key": "k", "range": {"gt": "20240101"}}]}, "filter.must[0].range.gt"),
    ({"must": [{"key": "k", "values_count": {}}]}, "filter.must[0].values_count"),
    (
        {"must": [{"key": "k", "geo_radius": {"center": {"lon": 181, "lat": 0}, "radius": 1}}]},
        "filter.must[0].geo_radius.center",
    ),
    (
        {"must": [{"key": "k", "geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": -1}}]},
        "filter.must[0].geo_radius.radius",
    ),
    (
        {
            "must": [
                {
                    "key": "k",
                    "geo_bounding_box": {"top_left": {"lon": 0, "lat": 0}, "bottom_right": {"lon": 0, "lat": 99}},
                }
            ]
        },
        "filter.must[0].geo_bounding_box.bottom_right",
    ),
    (
        {"must": [{"nested": {"key": "k", "filter": {"should": [{"has_id": [1]}, {"key": "v"}]}}}]},
        "filter.must[0].nested.filter.should[1]",
    ),
    ({"must": [{"should": [{"must_not": [{"key": "k"}]}]}]}, "filter.must[0].should[0].must_not[0]"),
]


@pytest.mark.parametrize(("written", "place"), BAD, ids=range(len(BAD)))
def test_bad_filters_are_refused_where_they_are_wrong(written: dict[str, Any], place: str) -> None:
    error = refused(written)
    assert error.fields["at"] == place
    assert error.message.startswith(f"{place}:")


@pytest.mark.parametrize("clause", ["must", "should", "must_not"])
def test_bounds_of_size(clause: str) -> None:
    one = {"key": "k", "match": {"value": 1}}
    checked({clause: [one] * CONDITIONS_MAX})
    assert refused({clause: [one] * (CONDITIONS_MAX + 1)}).fields["maximum"] == CONDITIONS_MAX
    halves = [{"must": [one] * (CONDITIONS_MAX // 2)}] * 2
    assert refused({clause: halves}).fields["maximum"] == CONDITIONS_MAX
    for test in ({"key": "k", "match": {"any": [*range(VALUES_MAX + 1)]}}, {"has_id": [*range(VALUES_MAX + 1)]}):
        assert refused({clause: [test]}).fields["maximum"] == VALUES_MAX


def test_bound_of_depth() -> None:
    assert refused(deep(DEPTH_MAX + 1)).fields["maximum"] == DEPTH_MAX
    nested: dict[str, Any] = {"key": "k", "match": {"value": 1}}
    for _ in range(DEPTH_MAX):
        nested = {"nested": {"key": "k", "filter": {"must": [nested]}}}
    assert refused({"must": [nested]}).fields["maximum"] == DEPTH_MAX


@pytest.mark.parametrize(
    "written",
    [
        {"must": {}},
        {"Must": []},
        {"must": [{"key": "k", "match": {"value": 1.5}}]},
        {"must": [{"key": "k", "match": {"any": [True]}}]},
        {"must": [{"key": "k", "range": {"above": 1}}]},
        {"must": [{"key": "k", "geo_radius": {"radius": 1}}]},
        {"must": [{"has_id": [1.5]}]},
    ],
    ids=range(7),
)
def test_unknown_keys_and_kinds_do_not_decode(written: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(written, Filter)


def test_shorthands() -> None:
    assert any_of("k", [1, 2]) == Condition(key="k", match=Match(any=[1, 2]))
    check(Filter(must=[Condition(key="k", match=Match(value=True)), any_of("k", ["a"])]))


@pytest.mark.parametrize(
    "text",
    [
        "2024-06-01T12:30:00Z", "2024-06-01T12:30:00z", "2024-06-01 12:30:00", "2024-06-01T12:30", "2024-06-01T12:30:00 UTC",
        "2024-06-01T14:30:00+02:00", "2024-06-01T14:30:00+02", "2024-06-01T10:30:00 -0200", " 2024-06-01T12:30:00.000000000Z",
    ],
)  # fmt: skip
def test_forms_of_one_moment(text: str) -> None:
    assert parse_datetime(text) == datetime(2024, 6, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "", "2024", "20240601", "2024-W22-6", "2024-06-01T12", "2024-06-01T12:30Z", "2024-06-31", "2024-06-01T25:00:00Z",
        "2024-06-01T12:30:00+25:00", "2024-06-01T12:30:00.Z", "2024-06-01T12:30:00Z ", "2024-06-01T12:30:00,5Z", "now",
    ],
)  # fmt: skip
def test_what_is_no_date_time(text: str) -> None:
    assert parse_datetime(text) is None


@given(st.datetimes(timezones=st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))))
def test_every_iso_date_time_is_read_back(moment: datetime) -> None:
    assert parse_datetime(moment.isoformat()) == moment


@pytest.mark.parametrize(
    "condition",
    [
        Condition(key="k", match=Match(value=2**63)),
        Condition(key="k", match=Match(value=-(2**63) - 1)),
        Condition(key="k", match=Match(any=[1, 2**70])),
        Condition(key="k", values_count=ValuesCount(gt=-1)),
        Condition(key="k", values_count=ValuesCount(lt=2**63)),
        Condition(has_id=[2**64]),
        Condition(has_id=[1, "no uuid"]),
    ],
)
def test_integers_that_no_engine_holds_are_refused_with_their_place(condition: Condition) -> None:
    with pytest.raises(InvalidInput, match=r"filter\.should\[0\]\."):
        check(Filter(should=[condition]))


@pytest.mark.parametrize(
    "condition",
    [
        Condition(key="k" * 1025, match=Match(value=1)),
        Condition(is_empty=PayloadKey("k" * 1025)),
        Condition(is_null=PayloadKey("k" * 1025)),
        Condition(nested=Nested("k" * 1025, Filter(must=[any_of("k", [1])]))),
    ],
)
def test_a_key_that_would_fill_metrics_and_logs_is_refused(condition: Condition) -> None:
    with pytest.raises(InvalidFilter, match="1024 characters"):
        check(Filter(must_not=[condition]))
