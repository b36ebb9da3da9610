"""How often something may happen: policies, and the generic cell rate algorithm that judges one request. Pure."""

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """`requests` in `window_s` seconds, evenly; `burst` of them may come at once."""

    name: str
    requests: int
    window_s: float
    burst: int


class Allowance(msgspec.Struct, frozen=True):
    """What became of one request: whether it may go on, how many more may come at once, and when (seconds) things change.

    `reset_s` is the time until `remaining` is the whole burst again; `retry_after_s` is 0 for a request that may go on.
    """

    policy: Policy
    allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float


def take(policy: Policy, full_at: float, now: float) -> tuple[float, Allowance]:
    """Judge one request at `now` (seconds) of someone whose burst will be whole again at `full_at`; gives the next `full_at`.

    The generic cell rate algorithm (ITU-T I.371) as virtual scheduling: each request that goes on moves the theoretical
    arrival time by `window_s / requests`; one is refused while that lies further ahead than the burst allows.
    """
    interval = policy.window_s / policy.requests
    ahead_max = interval * policy.burst
    after = max(full_at, now) + interval
    ahead = after - now
    if ahead > ahead_max + 1e-9:
        wait = ahead - ahead_max
        return full_at, Allowance(policy, False, 0, full_at - now, wait)
    return after, Allowance(policy, True, int((ahead_max - ahead) / interval + 1e-6), ahead, 0.0)
