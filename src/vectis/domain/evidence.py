"""What was observed of the two variants of a rollout: plain values that a judge reads. No rule of judging lives here."""

import math

import msgspec

LATENCY_GROWTH = 1.02
"""Upper bound of a latency bucket over its lower bound, so a quantile is exact to 2 %."""


class VariantTick(msgspec.Struct, frozen=True):
    """What one variant answered within one tick.

    `errors` are failures of the server, never of the caller. `empty` and `degraded` count answers; `latency` holds the
    answered queries only, so that failing fast is not being fast. `keys` are routing keys seen for the first time in this
    stage, and requests without one. A sampler that caps the queries per key and tick keeps one heavy user from deciding for all.
    """

    queries: int = 0
    errors: int = 0
    empty: int = 0
    degraded: int = 0
    latency: dict[int, int] = {}
    keys: int = 0


class Tick(msgspec.Struct, frozen=True):
    """Both variants over the same span of time. `candidate_percent` is the candidate's share of what the route gave to both."""

    stable: VariantTick
    candidate: VariantTick
    candidate_percent: float


class ShadowPair(msgspec.Struct, frozen=True):
    """One query answered by the stable variant and another, `variant`: ids best first, milliseconds; `exact` is the exact search
    on the stable one."""

    query: str
    stable: tuple[str, ...]
    candidate: tuple[str, ...]
    stable_ms: float
    candidate_ms: float
    exact: tuple[str, ...] | None = None
    variant: str = "candidate"


class JudgedPair(msgspec.Struct, frozen=True):
    """One judged query: the same measures (`ndcg@10`, `recall@10`, each in [0, 1]) of both variants' answers."""

    query: str
    stable: dict[str, float]
    candidate: dict[str, float]


class Evidence(msgspec.Struct, frozen=True):
    """Everything observed in one stage so far, oldest first.

    `preferences` are outcomes of interleaving or ratings: 1 for the candidate, 0 for the stable variant, 0.5 for a tie.
    `payload` is, by payload key, the share of documents (of points where there are none) that have it: in the stable
    and in the candidate collection.
    """

    ticks: tuple[Tick, ...] = ()
    pairs: tuple[ShadowPair, ...] = ()
    judged: tuple[JudgedPair, ...] = ()
    preferences: tuple[float, ...] = ()
    payload: dict[str, tuple[float, float]] = {}


def latency_bucket(latency_ms: float) -> int:
    """The bucket b with LATENCY_GROWTH**(b-1) < latency_ms <= LATENCY_GROWTH**b; below a microsecond counts as one.

    Masson, Rim and Lee, DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees, VLDB 2019.
    """
    return math.ceil(math.log(max(latency_ms, 0.001)) / math.log(LATENCY_GROWTH))
