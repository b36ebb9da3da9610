"""What search writes down of each query, and rollouts judge."""

import msgspec

from vectis.domain.routes import Route, Routing

INTERRUPTED = "interrupted"
"""The outcome of a query that ended without answer or error: its sender went away, or there is a bug."""


class Measurement(msgspec.Struct, frozen=True):
    """One query: where it went, how it ended, how long its stages took (milliseconds).

    `outcome` is `ok`, the code of an error, or INTERRUPTED. `route` is the name's, None for a collection's own; `kept`: the
    answer was not computed. `filter_keys` are the payload keys that its filter tested, and whether an index served each.
    `first_score` is that of the first result, None where nothing was computed or found.
    """

    name: str
    collection: str
    variant: str
    mode: str
    outcome: str
    results: int
    first_score: float | None = None
    degraded: tuple[str, ...] = ()
    took_ms: float = 0.0
    stages_ms: dict[str, float] = {}
    filter_keys: dict[str, bool] = {}
    route: Route | None = None
    routing: Routing = Routing()
    kept: bool = False


class FilterUse(msgspec.Struct, frozen=True):
    """How many searches filtered by a payload key since their processes started, and how many without a payload index."""

    searches: int = 0
    unindexed: int = 0
