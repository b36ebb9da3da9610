"""What callers propose as candidates: named, shared out, or refused with the field that is wrong."""

from typing import Any

import pytest
from msgspec.structs import replace
from rollout_world import spec_of

from vectis.domain.access import SYSTEM, CollectionPass, Permission, authorize_on
from vectis.domain.errors import InvalidInput
from vectis.domain.profiles import EmbeddingWishes
from vectis.domain.rollouts import Candidate, CandidateBuild, ChangeKind, RolloutSpec, Strategy
from vectis.rollouts.proposals import VARIANTS_MAX, Proposal, accepted
from vectis.rollouts.strategies import default_spec

BUILD = CandidateBuild()
EXPERIMENT = spec_of(Strategy.EXPERIMENT)


def given(name: str) -> CollectionPass:
    return authorize_on(SYSTEM, Permission.WRITE_COLLECTIONS, name)


def variant(name: str = "", share: float | None = None, **changes: Any) -> Proposal:
    return Proposal(**{"build": BUILD, "name": name, "weight_percent": share, **changes})


def test_one_candidate_has_no_share_of_its_own() -> None:
    spec = spec_of(Strategy.CANARY)
    assert accepted(spec, [Proposal(given=given("docs_2"))], unix_time=5) == (Candidate("docs_2"),)
    assert accepted(spec, [Proposal(build=BUILD)], unix_time=5.2) == (Candidate("docs_green_5", build=BUILD),)


def test_variants_are_named_by_letters_and_share_evenly_unless_they_say() -> None:
    found = accepted(EXPERIMENT, [variant(), variant("tuned"), variant(build=None, given=given("docs_7"))], unix_time=5)
    assert [(each.variant, each.collection, each.weight_percent) for each in found] == [
        ("a", "docs_variant_a_5", 16.66),
        ("tuned", "docs_variant_tuned_5", 16.66),
        ("c", "docs_7", 16.68),
    ]
    spec = default_spec("docs", Strategy.EXPERIMENT, ChangeKind.REEMBED, weight_percent=45)
    assert [each.weight_percent for each in accepted(spec, [variant("", 30), variant("", 15)], unix_time=5)] == [30, 15]


@pytest.mark.parametrize(
    ("spec", "proposals", "field"),
    [
        (EXPERIMENT, [Proposal()], "candidate"),
        (EXPERIMENT, [Proposal(given=given("docs_2"), build=BUILD)], "candidate"),
        (spec_of(Strategy.CANARY), [variant()], "variants"),
        (replace(EXPERIMENT, promotes=True), [variant(), variant()], "promotes"),
        (EXPERIMENT, [variant()] * (VARIANTS_MAX + 1), "variants"),
        (EXPERIMENT, [variant(), variant(build=None)], "variants[1].collection"),
        (EXPERIMENT, [variant(), variant("B")], "variants[1].name"),
        (EXPERIMENT, [variant(), variant("stable")], "variants[1].name"),
        (EXPERIMENT, [variant(), variant("interleaved")], "variants[1].name"),
        (
            replace(EXPERIMENT, stages=(replace(EXPERIMENT.stages[0], interleave_percent=20),)),
            [variant(), variant()],
            "stages[0].interleave_percent",
        ),
        (EXPERIMENT, [variant("b"), variant()], "variants[1].name"),
        (EXPERIMENT, [variant(given=given("docs_2"), build=None)] * 2, "variants[0].collection"),
        (
            replace(EXPERIMENT, stages=(replace(EXPERIMENT.stages[0], weight_percent=0.01),)),
            [variant(), variant()],
            "stages[0].weight_percent",
        ),
        (EXPERIMENT, [variant("", 25), variant()], "variants[1].weight_percent"),
        (EXPERIMENT, [variant("", 50), variant("", 0)], "variants[1].weight_percent"),
        (EXPERIMENT, [variant("", 49.999), variant("", 0.001)], "variants[0].weight_percent"),
        (EXPERIMENT, [variant("", 50), variant("", 50)], "variants"),
        (EXPERIMENT, [variant("", 30), variant("", 10)], "stages[0].weight_percent"),
        (
            replace(EXPERIMENT, change=ChangeKind.INDEX_CONFIG),
            [variant(build=CandidateBuild(embedding=EmbeddingWishes()))],
            "change",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(spec: RolloutSpec, proposals: list[Proposal], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        accepted(spec, proposals, unix_time=5)
    assert refused.value.fields["field"] == field
