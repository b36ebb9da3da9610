"""The candidates that a rollout is begun with: what callers propose, checked, named and given their shares. Pure."""

import math
import re
from collections.abc import Sequence

import msgspec

from vectis.domain.access import CollectionPass
from vectis.domain.errors import InvalidInput
from vectis.domain.rollouts import Candidate, CandidateBuild, ChangeKind, RolloutSpec, Strategy
from vectis.domain.routes import INTERLEAVED, STABLE

VARIANTS_MAX = 8
"""More of them leave too little traffic to each, and too little certainty."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class Proposal(msgspec.Struct, frozen=True):
    """A candidate as somebody proposes it: a collection that is there, or how to build one.

    `name` None: it is the only candidate, and the stages say its share. Else it is a variant of an experiment, called so or, when
    empty, by the next letter; `weight_percent` None: what the stages give to the candidates is shared evenly.
    """

    given: CollectionPass | None = None
    build: CandidateBuild | None = None
    name: str | None = None
    weight_percent: float | None = None


def accepted(spec: RolloutSpec, proposals: Sequence[Proposal], *, unix_time: float) -> tuple[Candidate, ...]:
    """The candidates. InvalidInput, naming the field, for proposals that make no sense, or none with this spec."""
    _check_variants(spec, proposals)
    shares = _shares(spec, proposals)
    return tuple(
        _accepted(spec, each, number, share, unix_time)
        for number, (each, share) in enumerate(zip(proposals, shares, strict=True))
    )


def _accepted(spec: RolloutSpec, proposal: Proposal, number: int, share: float | None, unix_time: float) -> Candidate:
    only = proposal.name is None
    where = "" if only else f"variants[{number}]."
    _refuse(
        (proposal.given is None) == (proposal.build is None),
        f"{where}{'candidate' if only else 'collection'}",
        "name a collection that is there, or say with build how to make one; one of both",
    )
    _refuse(
        proposal.build is not None and proposal.build.embedding is not None and spec.change is not ChangeKind.REEMBED,
        "change",
        f"with {where}build.embedding it is reembed: nothing else compares answers between other vectors",
    )
    variant = "candidate" if only else _name(proposal, number)
    made = "green" if only else f"variant_{variant}"
    collection = proposal.given.collection if proposal.given else f"{spec.alias}_{made}_{unix_time:.0f}"
    return Candidate(collection, variant, share, proposal.build)


def _check_variants(spec: RolloutSpec, proposals: Sequence[Proposal]) -> None:
    """Of each other: what one candidate alone never gets wrong."""
    names = [_name(each, number) for number, each in enumerate(proposals) if each.name is not None]
    _refuse(bool(names) and spec.strategy is not Strategy.EXPERIMENT, "variants", "only an experiment has some")
    _refuse(bool(names) and spec.promotes, "promotes", "an experiment with variants ends with a decision, and no more")
    _refuse(len(names) > VARIANTS_MAX, "variants", f"are {len(names)}, {VARIANTS_MAX} at most")
    for number, name in enumerate(names):
        where = f"variants[{number}].name"
        _refuse(not _NAME.fullmatch(name), where, "is of up to 32 small letters, digits and hyphens")
        _refuse(name in (STABLE, INTERLEAVED), where, f"{name} is what other answers are called")
        _refuse(name in names[:number], where, f"{name!r} is there already")
    for number, stage in enumerate(spec.stages):
        mixes = stage.interleave_percent > 0 and len(proposals) > 1
        _refuse(
            mixes, f"stages[{number}].interleave_percent", "answers are mixed of two, and these are several variants"
        )
    given = [each.given.collection for each in proposals if each.given is not None]
    for number, each in enumerate(proposals):
        twice = each.given is not None and given.count(each.given.collection) > 1
        _refuse(twice, f"variants[{number}].collection", "is another variant's too")


def _name(proposal: Proposal, number: int) -> str:
    return proposal.name or chr(ord("a") + number)


def _shares(spec: RolloutSpec, proposals: Sequence[Proposal]) -> list[float | None]:
    shares = [each.weight_percent for each in proposals]
    if any(each.name is None for each in proposals):
        return shares
    said = [share for share in shares if share is not None]
    whole = spec.stages[0].weight_percent
    if not said:
        even = math.floor(whole * 100 / len(shares)) / 100
        _refuse(
            even <= 0, "stages[0].weight_percent", f"is {whole:g}, too little to be shared by {len(shares)} variants"
        )
        return [*[even] * (len(shares) - 1), round(whole - even * (len(shares) - 1), 2)]
    for number, share in enumerate(shares):
        where = f"variants[{number}].weight_percent"
        _refuse(share is None, where, "all variants say their share, or none does")
        _refuse(share is not None and share <= 0, where, "must be above 0")
        _refuse(share is not None and round(share, 2) != share, where, "has two decimals at most")
    added = round(sum(said), 2)
    _refuse(added >= 100, "variants", f"have {added:g} % together, and the stable one keeps some")
    _refuse(
        added != whole, "stages[0].weight_percent", f"is {whole:g}, and the shares of the variants add up to {added:g}"
    )
    return shares


def _refuse(wrong: bool, field: str, why: str) -> None:
    if wrong:
        raise InvalidInput(f"{field}: {why}", field=field)
