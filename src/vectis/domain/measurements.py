"""What search writes down of each query, and rollouts judge."""

import msgspec


class Measurement(msgspec.Struct, frozen=True):
    """One query: where it went, how it ended, how long its stages took (milliseconds).

    `filter_keys` are the payload keys that its filter tested, and whether an index served each.
    """

    name: str
    collection: str
    variant: str
    mode: str
    outcome: str
    results: int
    degraded: tuple[str, ...] = ()
    took_ms: float = 0.0
    stages_ms: dict[str, float] = {}
    filter_keys: dict[str, bool] = {}


class FilterUse(msgspec.Struct, frozen=True):
    """How many searches filtered by a payload key since their processes started, and how many without a payload index."""

    searches: int = 0
    unindexed: int = 0
