"""Which keys a filter tests, and whether a payload index serves each test. A test without one looks at every point."""

from collections.abc import Iterator

import msgspec

from vectis.domain.filters import Condition, Filter, Match
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.engine import CollectionAdmin
from vectis.domain.schema import PayloadIndexKind

KNOWN_FOR_S = 5.0
"""How long an index that another process made may go unnoticed."""

_ANY_KIND = frozenset(PayloadIndexKind)
_NUMBERS = frozenset({PayloadIndexKind.INTEGER, PayloadIndexKind.FLOAT})
_WORDS = frozenset({PayloadIndexKind.KEYWORD, PayloadIndexKind.UUID})


class _Indexes(msgspec.Struct, frozen=True):
    indexes: dict[str, PayloadIndexKind]
    until: float


class FilterIndexes:
    """Knows the payload indexes of each collection that is filtered, as the engine told within the last five seconds."""

    def __init__(self, admin: CollectionAdmin, clock: Clock) -> None:
        self._admin = admin
        self._clock = clock
        self._known: dict[str, _Indexes] = {}

    async def keys(self, collection: str, filter: Filter | None) -> dict[str, bool]:
        """Each payload key that `filter` tests, and whether an index serves all its tests.

        Raises CollectionNotFound, EngineUnavailable.
        """
        tests = list(keys_of(filter)) if filter is not None else []
        if not tests:
            return {}
        known = self._known.get(collection)
        if known is None or self._clock.monotonic() >= known.until:
            state = await self._admin.describe(collection)
            known = _Indexes(state.payload_indexes, self._clock.monotonic() + KNOWN_FOR_S)
            self._known[collection] = known
        served: dict[str, bool] = {}
        for key, kinds in tests:
            served[key] = served.get(key, True) and known.indexes.get(key) in kinds
        return served


def keys_of(node: Filter | Condition, prefix: str = "") -> Iterator[tuple[str, frozenset[PayloadIndexKind]]]:
    """Each payload key that a filter tests, as its index would be named, and the kinds of index that serve the test."""
    for condition in (*(node.must or ()), *(node.should or ()), *(node.must_not or ())):
        lone = condition.is_empty or condition.is_null
        if condition.nested is not None:
            yield from keys_of(condition.nested.filter, f"{prefix}{condition.nested.key}[].")
        elif lone is not None:
            yield prefix + lone.key, _ANY_KIND
        elif condition.key is not None:
            yield prefix + condition.key, _kinds(condition)
        else:
            yield from keys_of(condition, prefix)


def _kinds(condition: Condition) -> frozenset[PayloadIndexKind]:
    if condition.match is not None:
        return _match_kinds(condition.match)
    if condition.range is not None:
        bounds = condition.range
        dates = any(isinstance(bound, str) for bound in (bounds.gt, bounds.gte, bounds.lt, bounds.lte))
        return frozenset({PayloadIndexKind.DATETIME}) if dates else _NUMBERS
    return _ANY_KIND if condition.values_count is not None else frozenset({PayloadIndexKind.GEO})


def _match_kinds(match: Match) -> frozenset[PayloadIndexKind]:
    if match.text is not None:
        return frozenset({PayloadIndexKind.TEXT})
    values = (match.any or match.except_ or ()) if match.value is None else (match.value,)
    match next(iter(values), ""):
        case bool():
            return frozenset({PayloadIndexKind.BOOL})
        case int():
            return frozenset({PayloadIndexKind.INTEGER})
        case _:
            return _WORDS
