"""How alike two rankings of one query are. Ids best first, each once. Pure, standard library only."""

from collections.abc import Sequence

from vectis.domain.evidence import ShadowPair

PERSISTENCE = 0.9
"""Of those who look at a rank, this share looks at the next one."""


def overlap_at(first: Sequence[str], second: Sequence[str], k: int = 10) -> float:
    """The shared part of both first k, in [0, 1]; two empty answers are alike."""
    a, b = set(first[:k]), set(second[:k])
    longer = max(len(a), len(b))
    return len(a & b) / longer if longer else 1.0


def recall_at(answer: Sequence[str], exact: Sequence[str], k: int = 10) -> float:
    """The part of the exact first k that is in the answer's first k, in [0, 1]; 1 when nothing could be found."""
    wanted = set(exact[:k])
    return len(wanted & set(answer[:k])) / len(wanted) if wanted else 1.0


def rank_biased_overlap(first: Sequence[str], second: Sequence[str]) -> float:
    """Overlap that weighs upper ranks more, in [0, 1]; extrapolated to the end from the depth that both have.

    Webber, Moffat and Zobel, A similarity measure for indefinite rankings, ACM TOIS 2010, equation 32 (RBO_EXT) over the
    common depth. Two empty answers are alike, one empty answer is like none.
    """
    depth = min(len(first), len(second))
    if depth == 0:
        return 1.0 if len(first) == len(second) else 0.0
    seen_first: set[str] = set()
    seen_second: set[str] = set()
    total, shared = 0.0, 0
    for rank in range(1, depth + 1):
        seen_first.add(first[rank - 1])
        seen_second.add(second[rank - 1])
        shared = len(seen_first & seen_second)
        total += shared / rank * PERSISTENCE**rank
    return shared / depth * PERSISTENCE**depth + (1 - PERSISTENCE) / PERSISTENCE * total


def most_different(pairs: Sequence[ShadowPair], limit: int) -> list[ShadowPair]:
    """The queries whose answers differ most, most different first, for showing both answers side by side."""
    return sorted(pairs, key=lambda pair: rank_biased_overlap(pair.stable, pair.candidate))[:limit]
