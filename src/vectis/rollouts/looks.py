"""Looking at a stage or watch: judged again when there is something new to see, and every judgement is kept."""

import asyncio

from vectis.domain.errors import InvalidInput, NotFound
from vectis.domain.judgements import Judgement, MetricJudgement, Verdict
from vectis.domain.rollouts import Rollout, Step
from vectis.rollouts.judging.judge import judge, shared_among, together
from vectis.rollouts.observing import EvidenceReader
from vectis.rollouts.pictures import judged_last
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

    async def judgements(self, rollout: Rollout) -> dict[str, Judgement]:
        """Of the stage or watch that the rollout is in, by all that was observed so far: of each variant that takes part, against
        the stable one; none before the first look. In the switch, what was judged last in the stage before.

        A candidate that missed a write fails whatever else it shows. Raises what reading the evidence raises.
        """
        if rollout.step not in (Step.STAGE, Step.WATCH):
            self._evidence.forget(rollout.id)
            self._looks.pop(rollout.id, None)
            return await self._kept(rollout) if rollout.step is Step.SWITCH else {}
        look = self._looks.get(rollout.id)
        if look is None or look.since != rollout.since:
            look = self._looks[rollout.id] = _Look(rollout)
        if await self._sees_more(rollout, look):
            look.judgements = {each.variant: look.judgement(each.variant) for each in rollout.running}
            await self._store.keep_judgements(rollout.id, rollout.generation, look.judgements)
        return look.judgements

    async def _kept(self, rollout: Rollout) -> dict[str, Judgement]:
        transitions = await self._store.transitions(rollout.id)
        return judged_last((Step.STAGE, rollout.stage), transitions, await self._store.judgements(rollout.id))

    async def _sees_more(self, rollout: Rollout, look: "_Look") -> bool:
        missed: dict[str, MetricJudgement] = {}
        if rollout.step is Step.STAGE:
            missed = {each.variant: await missed_writes(self._store, each.collection) for each in rollout.running}
        more, look.missed = missed != look.missed, missed
        analysis = analysis_of(rollout.spec, stage_of(rollout) if rollout.step is Step.STAGE else None)
        if not analysis.metrics:
            return more
        try:
            evidence = await self._evidence.read(rollout, analysis.metrics)
        except (InvalidInput, NotFound) as error:
            unread = MetricJudgement("evidence", Verdict.ERROR, error.message, "none")
            unknown = Judgement(Verdict.ERROR, error.message, (unread,), NO_SPLIT)
            before, look.judged = look.judged, {each.variant: unknown for each in rollout.running}
            return more or look.judged != before
        if evidence is None:
            return more and bool(look.judgements)
        shared, stages = shared_among(analysis, len(rollout.candidates)), judged_stages(rollout)
        look.judged = {
            variant: await asyncio.to_thread(judge, observed, shared, stages=stages)
            for variant, observed in evidence.items()
        }
        return True


class _Look:
    """What was seen of one stage or watch, by variant."""

    def __init__(self, rollout: Rollout) -> None:
        self.since = rollout.since
        self.judged: dict[str, Judgement] = {}
        self.missed: dict[str, MetricJudgement] = {}
        self.judgements: dict[str, Judgement] = {}

    def judgement(self, variant: str) -> Judgement:
        judged = self.judged.get(variant, Judgement(Verdict.SUCCESSFUL, "", (), NO_SPLIT))
        missed = (self.missed[variant],) if variant in self.missed else ()
        return together((*judged.metrics, *missed), judged.split, different=judged.different)
