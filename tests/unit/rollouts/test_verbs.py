"""What people may do to a rollout, and where it is refused with a way out."""

from datetime import timedelta

import pytest
from rollout_world import SimulatedWorld, spec_of

from vectis.domain.errors import Conflict, InvalidInput
from vectis.domain.judgements import Verdict
from vectis.domain.rollouts import Phase, Step, Strategy
from vectis.domain.routes import Route, RoutePlan, Target
from vectis.rollouts.verbs import Verb

DAY_S = 86_400


@pytest.fixture
def canary() -> SimulatedWorld:
    world = SimulatedWorld(spec_of(Strategy.CANARY))
    world.to_first_stage()
    return world


@pytest.mark.parametrize("verb", [Verb.PROMOTE, Verb.PROMOTE_FULL, Verb.SKIP])
def test_nobody_goes_past_a_judgement_without_a_reason(canary: SimulatedWorld, verb: Verb) -> None:
    for reason in ("", "  "):
        with pytest.raises(InvalidInput, match="say why"):
            canary.do(verb, reason)
    canary.do(verb, "an urgent fix")
    assert canary.rollout.reason == "an urgent fix"


def test_pause_keeps_the_share_and_resume_goes_on(canary: SimulatedWorld) -> None:
    canary.do(Verb.PAUSE, "lunch")
    canary.verdict = Verdict.SUCCESSFUL
    canary.pass_time(3600)
    assert canary.stands == (Phase.PAUSED, Step.STAGE, 0)
    assert canary.weights["docs_2"] == 5
    canary.do(Verb.RESUME)
    canary.settle()
    assert canary.stands == (Phase.PROGRESSING, Step.STAGE, 1)


def test_resume_gives_a_stage_that_had_its_time_its_duration_once_more(canary: SimulatedWorld) -> None:
    canary.verdict = Verdict.INCONCLUSIVE
    canary.pass_time(DAY_S + 7200)
    assert canary.rollout.phase is Phase.PAUSED
    canary.do(Verb.RESUME)
    canary.pass_time(1799)
    assert canary.rollout.phase is Phase.PROGRESSING
    canary.pass_time(1)
    assert canary.rollout.phase is Phase.PAUSED


def test_extend_lengthens_the_stage_and_resumes_it(canary: SimulatedWorld) -> None:
    canary.do(Verb.EXTEND, by_s=3600)
    canary.pass_time(DAY_S)
    assert canary.rollout.phase is Phase.PROGRESSING
    canary.pass_time(3600)
    assert canary.rollout.phase is Phase.PAUSED
    canary.do(Verb.EXTEND)
    canary.settle()
    assert canary.rollout.phase is Phase.PROGRESSING
    with pytest.raises(InvalidInput, match="by_s"):
        canary.do(Verb.EXTEND, by_s=-1)


def test_promote_goes_one_stage_on_and_promote_full_to_the_end(canary: SimulatedWorld) -> None:
    canary.do(Verb.PROMOTE, "seen enough")
    canary.settle()
    assert canary.weights["docs_2"] == 25
    canary.do(Verb.PROMOTE_FULL, "urgent")
    canary.settle()
    assert canary.weights == {"docs_2": 100}
    assert canary.stands[:2] == (Phase.PROGRESSING, Step.WATCH)


def test_skip_passes_the_stage_after_its_least_duration(canary: SimulatedWorld) -> None:
    canary.do(Verb.SKIP, "the metrics are down")
    canary.verdict = Verdict.FAILED
    canary.pass_time(1799)
    assert canary.stands == (Phase.PROGRESSING, Step.STAGE, 0)
    canary.verdict = Verdict.INCONCLUSIVE
    canary.pass_time(1)
    assert canary.stands == (Phase.PROGRESSING, Step.STAGE, 1)
    assert canary.rollout.skip is None
    assert "skipped, the metrics are down" in canary.rollout.reason


def test_abort_gives_all_traffic_back_and_retry_begins_anew(canary: SimulatedWorld) -> None:
    canary.do(Verb.ABORT, "no")
    canary.settle()
    assert canary.weights == {"docs_1": 100}
    canary.do(Verb.RETRY)
    canary.settle()
    assert (canary.rollout.attempt, canary.stands) == (2, (Phase.PROGRESSING, Step.STAGE, 0))
    assert canary.weights["docs_2"] == 5


@pytest.mark.parametrize("verb", [Verb.RETRY, Verb.UNDO])
def test_an_alias_that_was_set_by_hand_since_is_not_moved(canary: SimulatedWorld, verb: Verb) -> None:
    if verb is Verb.UNDO:
        canary.do(Verb.PROMOTE_FULL, "urgent")
        canary.settle()
        canary.pass_time(300)
    else:
        canary.do(Verb.ABORT, "no")
        canary.settle()
    assert canary.rollout.step is Step.GRACE
    left = canary.route
    for route in (None, Route("docs", RoutePlan((Target("docs_by_hand"),)))):
        canary.route = route
        with pytest.raises(Conflict, match="start another rollout") as refused:
            canary.do(verb, "a reason")
        assert refused.value.fields["alias"] == "docs"
    canary.route = left
    canary.do(verb, "a reason")


def test_undo_goes_back_while_the_old_collection_is_kept(canary: SimulatedWorld) -> None:
    with pytest.raises(Conflict, match="undo"):
        canary.do(Verb.UNDO)
    canary.do(Verb.PROMOTE_FULL, "urgent")
    canary.settle()
    canary.pass_time(300)
    assert canary.rollout.phase is Phase.HEALTHY
    canary.do(Verb.UNDO, "customers complain")
    canary.settle()
    assert canary.weights == {"docs_1": 100}
    assert canary.stands[:2] == (Phase.ABORTED, Step.GRACE)
    canary.pass_time(DAY_S)
    assert canary.collections == {"docs_1"}


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb not in (Verb.PROMOTE_FULL, Verb.UNDO)])
def test_a_promoted_rollout_that_is_done_takes_no_verb(canary: SimulatedWorld, verb: Verb) -> None:
    canary.do(Verb.PROMOTE_FULL, "urgent")
    canary.settle()
    canary.pass_time(300)
    canary.pass_time(DAY_S)
    assert canary.rollout.step is Step.DONE
    with pytest.raises(Conflict, match="start another rollout") as refused:
        canary.do(verb, "a reason")
    assert refused.value.fields["step"] == "done"


def test_there_is_no_way_back_to_a_collection_that_is_being_removed(canary: SimulatedWorld) -> None:
    canary.do(Verb.PROMOTE_FULL, "urgent")
    canary.settle()
    canary.pass_time(300)
    canary.now += timedelta(days=1)
    canary.tick()
    assert canary.rollout.step is Step.RETIRE
    with pytest.raises(Conflict, match="nothing works until the collection is removed"):
        canary.do(Verb.UNDO)
