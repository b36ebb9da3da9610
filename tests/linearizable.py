"""Checks a history of reads and writes of one register whose versions only grow: is there one order of all that explains it?"""

import heapq
from collections.abc import Sequence
from typing import NamedTuple


class Access(NamedTuple):
    """A read that saw `version`, or a write that made it, some time between `began` and `ended` (seconds of one clock)."""

    began: float
    ended: float
    version: int


def violations(reads: Sequence[Access], writes: Sequence[Access] = (), *, limit: int = 10) -> list[str]:
    """What no order explains, in words; empty for a linearizable history.

    Versions are numbered in the order of their writes, so a register of them is linearizable exactly when no access that began
    after another one had ended saw or made an older version, and nothing was read before its write began. Herlihy and Wing,
    Linearizability: a correctness condition for concurrent objects, ACM TOPLAS 1990, for histories whose order is known.
    """
    found: list[str] = []
    begun = {write.version: write.began for write in writes}
    under_way: list[tuple[float, int]] = []
    newest = 0
    for access in sorted((*reads, *writes)):
        while under_way and under_way[0][0] < access.began:
            newest = max(newest, heapq.heappop(under_way)[1])
        if access.version < newest:
            found.append(f"{access} is older than {newest}, which was there before")
        if access.ended < begun.get(access.version, access.began):
            found.append(f"{access} was over before version {access.version} was written")
        heapq.heappush(under_way, (access.ended, access.version))
        if len(found) >= limit:
            break
    return found
