"""Looking at a stage or watch: judged again when there is something new to see, and every judgement is kept."""

import asyncio

from vectis.domain.errors import InvalidInput, NotFound
from vectis.domain.judgements import Judgement, MetricJudgement, Verdict
from vectis.domain.rollouts import Rollout, Step
from vectis.rollouts.judging.judge import judge, together
from vectis.rollouts.observing import EvidenceReader
from vectis.rollouts.rules import judged_stages
from vectis.rollouts.specs import analysis_of
from vectis.rollouts.surroundings import RolloutParts
from vectis.rollouts.transitions import stage_of
from vectis.rollouts.validation import NO_SPLIT, missed_writes


class StageJudge:
    """Judges what rollouts are going through."""

    def __init__(self, *, store: RolloutParts, evidence: EvidenceReader) -> None:
        self._store = store
        self._evidence = evidence
        self._looks: dict[str, _Look] = {}

    async def judgement(self, rollout: Rollout) -> Judgement | None:
        """Of the stage or watch that the rollout is in, by all that was observed so far; None before the first look.

        A candidate that missed a write fails whatever else it shows. Raises what reading the evidence raises.
        """
        if rollout.step not in (Step.STAGE, Step.WATCH):
            self._evidence.forget(rollout.id)
            self._looks.pop(rollout.id, None)
            return None
        look = self._looks.get(rollout.id)
        if look is None or look.since != rollout.since:
            look = self._looks[rollout.id] = _Look(rollout)
        if await self._sees_more(rollout, look):
            judgement = together(look.metrics(), look.judged.split, different=look.judged.different)
            look.judgement = judgement
            await self._store.keep_judgement(rollout.id, rollout.generation, judgement)
        return look.judgement

    async def _sees_more(self, rollout: Rollout, look: "_Look") -> bool:
        missed = await missed_writes(self._store, rollout.candidate) if rollout.step is Step.STAGE else None
        more, look.missed = missed != look.missed, missed
        analysis = analysis_of(rollout.spec, stage_of(rollout) if rollout.step is Step.STAGE else None)
        if not analysis.metrics:
            return more
        try:
            evidence = await self._evidence.read(rollout, analysis.metrics)
        except (InvalidInput, NotFound) as error:
            unread = MetricJudgement("evidence", Verdict.ERROR, error.message, "none")
            before, look.judged = look.judged, Judgement(Verdict.ERROR, error.message, (unread,), NO_SPLIT)
            return more or look.judged != before
        if evidence is None:
            return more and look.judgement is not None
        look.judged = await asyncio.to_thread(judge, evidence, analysis, stages=judged_stages(rollout))
        return True


class _Look:
    """What was seen of one stage or watch."""

    def __init__(self, rollout: Rollout) -> None:
        self.since = rollout.since
        self.judged = Judgement(Verdict.SUCCESSFUL, "", (), NO_SPLIT)
        self.missed: MetricJudgement | None = None
        self.judgement: Judgement | None = None

    def metrics(self) -> tuple[MetricJudgement, ...]:
        return self.judged.metrics if self.missed is None else (*self.judged.metrics, self.missed)
