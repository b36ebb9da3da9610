"""Answers that are mixed of both collections of an alias by team draft: what one user prefers tells which one ranks better."""

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from vectis.domain.errors import VectisError
from vectis.domain.feedback import Draft
from vectis.domain.points import PointId
from vectis.domain.ports.directory import Directory, Resolved
from vectis.domain.routes import INTERLEAVED, Target
from vectis.search.requests import Answer, Asked, Hit, SimilarSearch, TextSearch, VectorSearch
from vectis.search.shadows import Ask


class Pick(NamedTuple):
    """A hit of a mixed answer, and the variant that picked it; empty where both did, or only one had anything left."""

    hit: Hit
    team: str


def is_interleaved(query: TextSearch | SimilarSearch | VectorSearch, to: Resolved) -> bool:
    """Whether both collections answer together: of interleaved routing keys the first results of a plain question in words.

    Further ones would need both answers to all before them, chunks of two collections have nothing in common, diversity is of
    one list, and who wants an explanation wants it of one ranking.
    """
    return (
        isinstance(query, TextSearch)
        and to.route is not None
        and to.route.plan.interleaves(query.routing)
        and query.mode == "default"
        and query.group
        and not (query.offset or query.diversity or query.explain)
    )


class Interleaving:
    """Asks both collections of a route at once."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._mixed = self._one_sided = 0

    async def answer(self, query: Asked, to: Resolved, ask: Ask[Asked]) -> Answer:
        """The answer of both, mixed; when one fails that of the other alone, as its variant gives it.

        Takes as long as the slower one. Raises what asking the stable variant raised when both failed.
        """
        assert to.route is not None, "only an alias has two collections"
        targets = to.route.targets
        found = await asyncio.gather(*(self._side(query, target, to.route.version, ask) for target in targets))
        answers = [each for each in found if isinstance(each, Answer)]
        if len(answers) == len(targets):
            self._mixed += 1
            return _drafted(answers, query.limit or to.collection.profile.search.limit)
        if answers:
            self._one_sided += 1
            return answers[0]
        raise next(each for each in found if isinstance(each, VectisError))

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        return {"mixed_total": self._mixed, "one_sided_total": self._one_sided}

    async def _side(self, query: Asked, target: Target, route_version: int, ask: Ask[Asked]) -> Answer | VectisError:
        try:
            answer = await ask(query, await self._directory.resolve(target.collection))
        except VectisError as error:
            return error
        return replace(answer, variant=target.variant, route_version=route_version)


def _drafted(answers: Sequence[Answer], limit: int) -> Answer:
    query = secrets.token_hex(8)
    picks = team_draft({each.variant: each.hits for each in answers}, limit=limit, coins=coins(query))
    keys = [key for each in answers for key in each.filter_keys]
    return replace(
        answers[0],
        hits=[pick.hit for pick in picks],
        variant=INTERLEAVED,
        degraded={part: why for each in answers for part, why in each.degraded.items()},
        stages_ms={},
        filter_keys={key: all(each.filter_keys.get(key, True) for each in answers) for key in keys},
        draft=Draft(
            query=query,
            collections=tuple(each.collection for each in answers),
            teams={str(pick.hit.id): pick.team for pick in picks if pick.team},
        ),
    )


def coins(seed: str) -> Iterator[bool]:
    """Fair coins without end, the same for the same seed: the bits of its BLAKE2b hashes."""
    for number in count():
        for byte in blake2b(f"{number} {seed}".encode()).digest():
            for bit in range(8):
                yield bool(byte >> bit & 1)


def team_draft(found: Mapping[str, Sequence[Hit]], *, limit: int, coins: Iterable[bool]) -> list[Pick]:
    """The answers of two variants in one: in each round a coin says who picks first, and each picks its best hit not yet there.

    Radlinski, Kurup and Joachims, How does clickthrough data reflect retrieval quality?, CIKM 2008. But a hit that both would
    pick next, and what is left of one when the other has nothing more, is in no team. So a user who likes neither more gives
    both teams as many clicks in the mean, whatever both found: in each round both have a hit, and either may be the upper one.
    """
    sides = [(team, iter(hits)) for team, hits in found.items()]
    picks: list[Pick] = []
    taken: set[PointId] = set()
    for coin in coins:
        best = [(next((hit for hit in hits if hit.id not in taken), None), team) for team, hits in sides]
        in_round = [Pick(hit, team) for hit, team in best if hit is not None]
        if not in_round or len(picks) >= limit:
            break
        if coin:
            in_round.reverse()
        if len({pick.hit.id for pick in in_round}) == 1:
            in_round = [Pick(in_round[0].hit, "")]
        picks += in_round
        taken |= {pick.hit.id for pick in in_round}
    return picks[:limit]
