"""What search writes down of each query, and rollouts judge."""

import msgspec


class Measurement(msgspec.Struct, frozen=True):
    """One query: where it went, how it ended, how long its stages took (milliseconds)."""

    name: str
    collection: str
    variant: str
    mode: str
    outcome: str
    results: int
    degraded: tuple[str, ...] = ()
    took_ms: float = 0.0
    stages_ms: dict[str, float] = {}
