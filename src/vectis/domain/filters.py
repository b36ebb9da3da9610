"""Filters as the caller writes them: must, should, must_not over payload conditions, in Qdrant's JSON shape.

Decoding refuses unknown keys; `check` refuses what decodes but makes no sense. Translating to an engine is an adapter's.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import msgspec

from vectis.domain.errors import InvalidFilter
from vectis.domain.points import PointId, canonical_id
from vectis.domain.shapes import Shape

DEPTH_MAX = 8
CONDITIONS_MAX = 512
VALUES_MAX = 10_000
KEY_CHARACTERS_MAX = 1_024


class Match(Shape, frozen=True, omit_defaults=True):
    """Exactly one of: `value` equals, `any` one of, `except` none of, `text` all words."""

    value: str | int | bool | None = None
    any: list[str | int] | None = None
    except_: list[str | int] | None = msgspec.field(default=None, name="except")
    text: str | None = None


class Range(Shape, frozen=True, omit_defaults=True):
    """Bounds of a number, or of an RFC 3339 date-time when they are strings."""

    gt: float | str | None = None
    gte: float | str | None = None
    lt: float | str | None = None
    lte: float | str | None = None


class GeoPoint(Shape, frozen=True, omit_defaults=True):
    """Degrees."""

    lon: float
    lat: float


class GeoRadius(Shape, frozen=True, omit_defaults=True):
    """Within `radius` metres of `center`."""

    center: GeoPoint
    radius: float


class GeoBoundingBox(Shape, frozen=True, omit_defaults=True):
    """Inside the rectangle."""

    top_left: GeoPoint
    bottom_right: GeoPoint


class ValuesCount(Shape, frozen=True, omit_defaults=True):
    """Bounds of how many values a payload key holds."""

    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None


class PayloadKey(Shape, frozen=True, omit_defaults=True):
    """Names a payload key."""

    key: str


class Nested(Shape, frozen=True, omit_defaults=True):
    """The filter must hold for one and the same element of the array at `key`."""

    key: str
    filter: "Filter"


class Condition(Shape, frozen=True, omit_defaults=True):
    """Exactly one condition: `key` with one of the key conditions, or one of the conditions that stand alone."""

    key: str | None = None
    match: Match | None = None
    range: Range | None = None
    geo_radius: GeoRadius | None = None
    geo_bounding_box: GeoBoundingBox | None = None
    values_count: ValuesCount | None = None
    is_empty: PayloadKey | None = None
    is_null: PayloadKey | None = None
    has_id: list[PointId] | None = None
    nested: Nested | None = None
    must: list["Condition"] | None = None
    should: list["Condition"] | None = None
    must_not: list["Condition"] | None = None


class Filter(Shape, frozen=True, omit_defaults=True):
    """All of `must`, at least one of `should` (when given), none of `must_not`."""

    must: list[Condition] | None = None
    should: list[Condition] | None = None
    must_not: list[Condition] | None = None


_DATE_TIME = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?:(:\d\d(?:\.\d+)?)(?: ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?))?)?)?"
)
_KEY_CONDITIONS = ("match", "range", "geo_radius", "geo_bounding_box", "values_count")
_LONE_CONDITIONS = ("is_empty", "is_null", "has_id", "nested")
_CLAUSES = ("must", "should", "must_not")


def check(filter: Filter, *, at: str = "filter") -> None:
    """Raise InvalidFilter, naming the place, when a condition is empty, ambiguous, too deep or too large."""
    total = _check_clauses(filter, at, 1)
    if total > CONDITIONS_MAX:
        raise InvalidFilter(f"{at}: {total} conditions, the maximum is {CONDITIONS_MAX}", at=at, maximum=CONDITIONS_MAX)


def any_of(key: str, values: list[str | int]) -> Condition:
    """The condition that `key` holds one of `values`."""
    return Condition(key=key, match=Match(any=values))


def parse_datetime(text: str) -> datetime | None:
    """A date or date-time in the forms that the engine reads, in payloads and in bounds; None when it is not one.

    They are those of RFC 3339 and some lenient ones (no seconds, no zone, a blank for the T); without a zone it is UTC.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    day, minutes, seconds, zone = found.groups()
    zone = "+00:00" if zone in ("Z", "z", "UTC") else zone
    try:
        moment = datetime.fromisoformat(f"{day}T{minutes or '00:00'}{seconds or ''}{zone or ''}")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _check_clauses(node: Filter | Condition, at: str, depth: int) -> int:
    if depth > DEPTH_MAX:
        raise InvalidFilter(f"{at}: nested deeper than {DEPTH_MAX}", at=at, maximum=DEPTH_MAX)
    count = 0
    for clause in _CLAUSES:
        for i, condition in enumerate(getattr(node, clause) or ()):
            count += 1 + _check_condition(condition, f"{at}.{clause}[{i}]", depth)
    return count


def _check_condition(condition: Condition, at: str, depth: int) -> int:
    present = [k for k in (*_KEY_CONDITIONS, *_LONE_CONDITIONS) if getattr(condition, k) is not None]
    clauses = [k for k in _CLAUSES if getattr(condition, k) is not None]
    if len(present) + bool(clauses) != 1:
        found = ", ".join(present + clauses) or "none"
        raise InvalidFilter(f"{at}: a condition holds exactly one kind of test, found {found}", at=at)
    kind = (present or clauses)[0]
    needs_key = kind in _KEY_CONDITIONS
    if needs_key != (condition.key is not None):
        raise InvalidFilter(f"{at}: `{kind}` {'needs a' if needs_key else 'takes no'} `key` beside it", at=at)
    for named in (condition, condition.nested, condition.is_empty, condition.is_null):
        if named is not None and named.key is not None and len(named.key) > KEY_CHARACTERS_MAX:
            raise InvalidFilter(f"{at}: a key has {KEY_CHARACTERS_MAX} characters at most", at=at)
    if clauses:
        return _check_clauses(condition, at, depth + 1)
    if condition.nested is not None:
        return _check_clauses(condition.nested.filter, f"{at}.nested.filter", depth + 1)
    if condition.match is not None:
        _check_match(condition.match, f"{at}.match")
    if condition.range is not None:
        _check_range(condition.range, f"{at}.range")
    if condition.values_count is not None:
        _check_integers(_check_bounds(condition.values_count, f"{at}.values_count").values(), f"{at}.values_count", 0)
    if condition.has_id is not None:
        _check_count(len(condition.has_id), f"{at}.has_id")
        for i, id in enumerate(condition.has_id):
            canonical_id(id, at=f"{at}.has_id[{i}]")
    _check_places(condition, at)
    return 0


def _check_match(match: Match, at: str) -> None:
    present = [k for k in ("value", "any", "except_", "text") if getattr(match, k) is not None]
    if len(present) != 1:
        raise InvalidFilter(f"{at}: give exactly one of value, any, except, text", at=at)
    values = match.any if match.any is not None else match.except_
    if values is not None:
        _check_count(len(values), at)
        if len({type(v) for v in values}) > 1:
            raise InvalidFilter(f"{at}: values are all strings or all integers", at=at)
    _check_integers([match.value] if values is None else values, at, -(2**63))


def _check_integers(values: Iterable[object], at: str, least: int) -> None:
    if any(isinstance(value, int) and not least <= value < 2**63 for value in values):
        raise InvalidFilter(f"{at}: an integer lies within {least} and 2^63 - 1", at=at)


def _check_count(count: int, at: str) -> None:
    if count > VALUES_MAX:
        raise InvalidFilter(f"{at}: {count} values, the maximum is {VALUES_MAX}", at=at, maximum=VALUES_MAX)


def _check_places(condition: Condition, at: str) -> None:
    places: dict[str, GeoPoint] = {}
    if condition.geo_radius is not None:
        places["geo_radius.center"] = condition.geo_radius.center
        if not (isfinite(condition.geo_radius.radius) and condition.geo_radius.radius >= 0):
            raise InvalidFilter(f"{at}.geo_radius.radius: metres, 0 or more", at=f"{at}.geo_radius.radius")
    if condition.geo_bounding_box is not None:
        places["geo_bounding_box.top_left"] = condition.geo_bounding_box.top_left
        places["geo_bounding_box.bottom_right"] = condition.geo_bounding_box.bottom_right
    for name, place in places.items():
        if not (-180 <= place.lon <= 180 and -90 <= place.lat <= 90):
            raise InvalidFilter(f"{at}.{name}: lon is within -180 and 180, lat within -90 and 90", at=f"{at}.{name}")


def _check_range(bounds: Range, at: str) -> None:
    given = _check_bounds(bounds, at)
    if len({isinstance(v, str) for v in given.values()}) > 1:
        raise InvalidFilter(f"{at}: bounds are all numbers or all date-times", at=at)
    for name, value in given.items():
        if isinstance(value, str) and parse_datetime(value) is None:
            raise InvalidFilter(f"{at}.{name}: not an RFC 3339 date-time: {value[:40]!r}", at=f"{at}.{name}")


def _check_bounds(bounds: Range | ValuesCount, at: str) -> dict[str, Any]:
    given = {k: v for k in ("gt", "gte", "lt", "lte") if (v := getattr(bounds, k)) is not None}
    if not given:
        raise InvalidFilter(f"{at}: give at least one of gt, gte, lt, lte", at=at)
    return given
