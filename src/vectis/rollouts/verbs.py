"""What people do to a rollout: when each verb is allowed and what becomes of the rollout. Pure; who may is not asked here."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from vectis.domain.errors import Conflict, InvalidInput
from vectis.domain.rollouts import SETTLED, Phase, Rollout, Step
from vectis.domain.routes import Route
from vectis.rollouts.transitions import aborted, at_stage, changed, extended, paused, stage_of, switched, taken_out


class Verb(StrEnum):
    """Everything but start, which makes the rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    PROMOTE = "promote"
    PROMOTE_FULL = "promote_full"
    ABORT = "abort"
    RETRY = "retry"
    EXTEND = "extend"
    SKIP = "skip"
    UNDO = "undo"


EXPLAINED = frozenset({Verb.PROMOTE, Verb.PROMOTE_FULL, Verb.SKIP})
"""Verbs that go past a judgement: whoever does so says why."""

_UNDER_WAY = (Step.BUILD, Step.VALIDATE, Step.STAGE)


def apply_verb(
    rollout: Rollout,
    verb: Verb,
    *,
    route: Route | None,
    now: datetime,
    reason: str = "",
    by_s: float | None = None,
    variant: str = "",
) -> Rollout:
    """The rollout after the verb, one generation further. `route` is what its alias leads to, None when there is none.

    `by_s` is for extend, else one more least duration of the stage; `variant` for promote_full, else the one decided for, or the
    only one, and for abort, else all. InvalidInput when a reason is missing or there is no such variant; Conflict when the verb
    makes no sense where the rollout stands, or the alias of one that rests leads elsewhere since.
    """
    if verb in EXPLAINED and not reason.strip():
        raise InvalidInput(f"reason: {verb} goes past a judgement, say why", field="reason")
    if variant and verb not in (Verb.PROMOTE_FULL, Verb.ABORT):
        raise InvalidInput(f"variant: {verb} is about all of them, leave it out", field="variant")
    following = _after(rollout, verb, now, reason, by_s, variant)
    if rollout.step in SETTLED:
        _require_serving(rollout, verb, route)
    return following


def _after(rollout: Rollout, verb: Verb, now: datetime, reason: str, by_s: float | None, variant: str) -> Rollout:
    match verb:
        case Verb.PROMOTE_FULL:
            return _promote_full(rollout, reason, variant)
        case Verb.ABORT:
            return _abort(rollout, reason, variant)
        case Verb.EXTEND:
            return _extend(rollout, now, reason, by_s)
        case Verb.RESUME:
            return _resume(rollout, now, reason)
        case _:
            return _VERBS[verb](rollout, reason)


def _pause(rollout: Rollout, reason: str) -> Rollout:
    _require(rollout.phase in (Phase.PENDING, Phase.PROGRESSING) and _is_waiting(rollout), rollout, Verb.PAUSE)
    return paused(rollout, reason)


def _resume(rollout: Rollout, now: datetime, reason: str) -> Rollout:
    """A stage that has had its time gets its least duration once more, for else it would pause again at once."""
    _require(rollout.phase in (Phase.PAUSED, Phase.DEGRADED), rollout, Verb.RESUME)
    before_traffic = rollout.step in (Step.BUILD, Step.VALIDATE)
    extended_s = rollout.extended_s
    if rollout.step is Step.STAGE and rollout.since is not None:
        stage = stage_of(rollout)
        beyond_s = (now - rollout.since).total_seconds() - max(stage.duration_s, stage.duration_max_s)
        extended_s = max(extended_s, beyond_s + stage.duration_s)
    phase = Phase.PENDING if before_traffic else Phase.PROGRESSING
    return changed(rollout, phase=phase, extended_s=extended_s, reason=reason)


def _promote(rollout: Rollout, reason: str) -> Rollout:
    _require(rollout.step is Step.STAGE, rollout, Verb.PROMOTE)
    return at_stage(rollout, rollout.stage + 1, reason)


def _promote_full(rollout: Rollout, reason: str, variant: str) -> Rollout:
    """Also what a shadow or an experiment found good, while its candidates are kept."""
    found_good = _is_kept(rollout) and rollout.phase is Phase.HEALTHY and not rollout.promoted
    _require(rollout.step is Step.STAGE or found_good, rollout, Verb.PROMOTE_FULL)
    return switched(rollout, _chosen(rollout, variant), reason)


def _chosen(rollout: Rollout, variant: str) -> str:
    """The variant that is meant, which must take part."""
    decided = "" if rollout.decision is None else rollout.decision.better
    return _taking_part(rollout, variant or (rollout.running[0].variant if len(rollout.candidates) == 1 else decided))


def _taking_part(rollout: Rollout, variant: str) -> str:
    running = [each.variant for each in rollout.running]
    if variant not in running:
        why = f"{variant!r} takes no part" if variant else "none was decided for"
        raise InvalidInput(f"variant: {why}; name one of {', '.join(running)}", field="variant")
    return variant


def _abort(rollout: Rollout, reason: str, variant: str) -> Rollout:
    """One variant is taken out as if it had failed: the others go on."""
    _require(rollout.step in _UNDER_WAY, rollout, Verb.ABORT)
    if not variant:
        return aborted(rollout, reason)
    return taken_out(rollout, {_taking_part(rollout, variant): reason or "by hand"})


def _retry(rollout: Rollout, reason: str) -> Rollout:
    _require(rollout.phase is Phase.ABORTED and rollout.step in (Step.GRACE, Step.DONE), rollout, Verb.RETRY)
    return changed(
        rollout,
        attempt=rollout.attempt + 1,
        phase=Phase.PENDING,
        step=Step.BUILD,
        stage=0,
        since=None,
        extended_s=0.0,
        extensions=0,
        asked=frozenset[str](),
        candidates=tuple(replace(each, out="") for each in rollout.candidates),
        decision=None,
        reason=reason,
    )


def _extend(rollout: Rollout, now: datetime, reason: str, by_s: float | None) -> Rollout:
    _require(rollout.step is Step.STAGE, rollout, Verb.EXTEND)
    if by_s is not None and by_s <= 0:
        raise InvalidInput(f"by_s: {by_s} is not a duration, give seconds above 0", field="by_s")
    resumed = _resume(rollout, now, reason) if rollout.phase is Phase.PAUSED else rollout
    stage = stage_of(rollout)
    longer = extended(resumed, by_s or stage.duration_s or stage.duration_max_s, reason)
    return changed(rollout, **{name: getattr(longer, name) for name in ("phase", "extended_s", "extensions", "reason")})


def _skip(rollout: Rollout, reason: str) -> Rollout:
    """What is measured in this step or stage counts no more; its least duration stays. Goes on if it was paused."""
    _require(rollout.step in (Step.VALIDATE, Step.STAGE, Step.WATCH), rollout, Verb.SKIP)
    phase = Phase.PENDING if rollout.step is Step.VALIDATE else Phase.PROGRESSING
    return changed(rollout, skip=reason, phase=phase, reason=reason)


def _undo(rollout: Rollout, reason: str) -> Rollout:
    """Back to the stable variant after promotion, while its collection is kept."""
    kept = rollout.step in (Step.SWITCH, Step.WATCH) or _is_kept(rollout)
    _require(rollout.promoted and kept, rollout, Verb.UNDO)
    return aborted(rollout, reason or "undone")


_VERBS: dict[Verb, Callable[[Rollout, str], Rollout]] = {
    Verb.PAUSE: _pause,
    Verb.PROMOTE: _promote,
    Verb.RETRY: _retry,
    Verb.SKIP: _skip,
    Verb.UNDO: _undo,
}


def _is_kept(rollout: Rollout) -> bool:
    """Whether what serves no more is still there."""
    return rollout.step is Step.GRACE or (rollout.step is Step.DONE and rollout.spec.grace_s is None)


def _is_waiting(rollout: Rollout) -> bool:
    return rollout.step in (*_UNDER_WAY, Step.WATCH)


def _require(allowed: bool, rollout: Rollout, verb: Verb) -> None:
    if not allowed:
        promoted = ", promoted" if rollout.promoted else ""
        raise Conflict(
            f"{verb}: rollout {rollout.id!r} is {rollout.phase} at {rollout.step}{promoted}; there {_instead(rollout)}",
            rollout=rollout.id,
            phase=rollout.phase,
            step=rollout.step,
        )


def _require_serving(rollout: Rollout, verb: Verb, route: Route | None) -> None:
    """Somebody who set the alias by hand since must not find it moved to where the rollout began."""
    leads_to = [] if route is None else [target.collection for target in route.targets]
    if leads_to != [rollout.serving]:
        alias, now = rollout.spec.alias, ", ".join(leads_to) or "nowhere"
        raise Conflict(
            f"{verb}: alias {alias!r} leads to {now} by now and not to {rollout.serving!r}, as rollout {rollout.id!r} left it; "
            "set it back, or start another rollout",
            rollout=rollout.id,
            alias=alias,
        )


def _instead(rollout: Rollout) -> str:
    """What can be done where it stands."""
    possible = {
        Step.BUILD: "pause, resume and abort work",
        Step.VALIDATE: "pause, resume, skip and abort work",
        Step.STAGE: "pause, resume, promote, skip, extend and abort work",
        Step.SWITCH: "only undo works, after promotion",
        Step.WATCH: "pause, resume, skip and undo work",
        Step.GRACE: "undo works after promotion, promote_full where nothing was promoted, retry after an abort",
        Step.RETIRE: "nothing works until the collection is removed",
        Step.DONE: "retry works after an abort; else start another rollout",
    }
    return possible[rollout.step]
