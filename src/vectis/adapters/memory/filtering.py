"""Filters held against payloads in Python, with the engine's semantics on keys without an index.

An array matches when one of its elements does; a null is absence; booleans, integers and floats are three kinds of value.
"""

import re
from collections.abc import Callable
from math import asin, cos, isfinite, radians, sin, sqrt
from typing import Any, cast

from vectis.adapters.memory import paths
from vectis.domain.filters import (
    Condition,
    Filter,
    GeoBoundingBox,
    GeoPoint,
    GeoRadius,
    Match,
    Range,
    ValuesCount,
    parse_datetime,
)
from vectis.domain.points import Payload, PointId

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius, IUGG."""

_TOKEN = re.compile(r"[^\W_]+")


def matches(filter: Filter | Condition, payload: Payload, point_id: PointId | None) -> bool:
    """Whether a point satisfies the clauses; `point_id` is None inside an array element. ValueError for a bad path."""
    return (
        all(_holds(c, payload, point_id) for c in filter.must or ())
        and not any(_holds(c, payload, point_id) for c in filter.must_not or ())
        and (not filter.should or any(_holds(c, payload, point_id) for c in filter.should))
    )


def _holds(condition: Condition, payload: Payload, point_id: PointId | None) -> bool:
    if condition.key is not None:
        return _key_holds(condition, paths.select(payload, condition.key))
    if condition.is_empty is not None:
        return all(value is None or value == [] for value in paths.select(payload, condition.is_empty.key))
    if condition.is_null is not None:
        return any(_has_null(value) for value in paths.select(payload, condition.is_null.key))
    if condition.has_id is not None:
        return point_id in condition.has_id
    if condition.nested is not None:
        values = paths.select(payload, condition.nested.key.removesuffix("[]"))
        arrays = [cast("list[Any]", value) for value in values if isinstance(value, list)]
        elements = [cast("Payload", element) for array in arrays for element in array if isinstance(element, dict)]
        return any(matches(condition.nested.filter, element, None) for element in elements)
    return matches(condition, payload, point_id)


def _key_holds(condition: Condition, selected: list[Any]) -> bool:
    if condition.values_count is not None:
        counts = [_count(value) for value in selected] or [0]
        return any(_within(condition.values_count, count) for count in counts)
    values = [value for value in paths.flat(selected) if value is not None]
    return any(map(_test(condition), values))


def _test(condition: Condition) -> Callable[[Any], bool]:
    if condition.match is not None:
        return _match_test(condition.match)
    if condition.range is not None:
        return _range_test(condition.range)
    if condition.geo_radius is not None:
        return _radius_test(condition.geo_radius)
    if condition.geo_bounding_box is not None:
        return _box_test(condition.geo_bounding_box)
    raise ValueError("a condition with a key needs a test; filters.check tells where it is missing")


def _match_test(match: Match) -> Callable[[Any], bool]:
    if match.value is not None:
        wanted = match.value
        return lambda value: _same(value, wanted)
    if match.any is not None:
        choices = match.any
        return lambda value: any(_same(value, choice) for choice in choices)
    if match.except_ is not None:
        barred = match.except_
        return lambda value: not any(_same(value, choice) for choice in barred)
    words = {token.lower() for token in _TOKEN.findall(match.text or "")}
    return lambda value: (
        isinstance(value, str) and bool(words) and words <= {token.lower() for token in _TOKEN.findall(value)}
    )


def _same(value: Any, wanted: str | int) -> bool:
    return type(value) is type(wanted) and value == wanted


def _range_test(bounds: Range) -> Callable[[Any], bool]:
    given = {name: bound for name in ("gt", "gte", "lt", "lte") if (bound := getattr(bounds, name)) is not None}
    if not any(isinstance(bound, str) for bound in given.values()):
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and _within(bounds, value)
    moments = {name: parse_datetime(bound) for name, bound in given.items()}
    if None in moments.values():
        raise ValueError(f"not a date-time among the bounds {given}")

    def test(value: Any) -> bool:
        moment = parse_datetime(value) if isinstance(value, str) else None
        return moment is not None and _compare(moments, moment)

    return test


def _within(bounds: Range | ValuesCount, value: float) -> bool:
    return _compare({"gt": bounds.gt, "gte": bounds.gte, "lt": bounds.lt, "lte": bounds.lte}, value)


def _compare(bounds: dict[str, Any], value: Any) -> bool:
    gt, gte, lt, lte = (bounds.get(name) for name in ("gt", "gte", "lt", "lte"))
    return (
        (gt is None or value > gt)
        and (gte is None or value >= gte)
        and (lt is None or value < lt)
        and (lte is None or value <= lte)
    )


def _radius_test(circle: GeoRadius) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        place = _place(value)
        return place is not None and _distance_m(place, circle.center) < circle.radius

    return test


def _box_test(box: GeoBoundingBox) -> Callable[[Any], bool]:
    west, east = box.top_left.lon, box.bottom_right.lon
    north, south = box.top_left.lat, box.bottom_right.lat

    def test(value: Any) -> bool:
        place = _place(value)
        if place is None or not south < place.lat < north:
            return False
        if west > east:  # the box crosses the antimeridian
            return place.lon > west or place.lon < east
        return west < place.lon < east

    return test


def _place(value: Any) -> GeoPoint | None:
    if not isinstance(value, dict):
        return None
    fields = cast("Payload", value)
    lon, lat = fields.get("lon"), fields.get("lat")
    if any(isinstance(x, bool) or not isinstance(x, int | float) or not isfinite(x) for x in (lon, lat)):
        return None
    return GeoPoint(lon=cast("float", lon), lat=cast("float", lat))


def _distance_m(a: GeoPoint, b: GeoPoint) -> float:
    """Great-circle distance in metres by the haversine formula."""
    lat_a, lat_b = radians(a.lat), radians(b.lat)
    half = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin(radians(b.lon - a.lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(sqrt(min(1.0, half)))


def _has_null(value: Any) -> bool:
    return value is None or (isinstance(value, list) and None in value)


def _count(value: Any) -> int:
    if value is None:
        return 0
    return len(cast("list[Any]", value)) if isinstance(value, list) else 1
