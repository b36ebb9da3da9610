"""Reading what was observed in a stage or watch: ticks as they become whole, mirrored queries, and what collections hold."""

import math
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby

from vectis.domain.errors import EmbedderUnavailable
from vectis.domain.evidence import Evidence, JudgedPair, ShadowPair, Tick, VariantTick
from vectis.domain.feedback import preferences
from vectis.domain.judgements import Metric
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.engine import PointReader
from vectis.domain.ports.feedback import FeedbackStore
from vectis.domain.ports.traffic import TrafficStore
from vectis.domain.rollouts import Rollout, Step
from vectis.domain.routes import STABLE
from vectis.domain.traffic import TICK_S, added_up, settled_before
from vectis.rollouts.judged_queries import JUDGED_METRICS, JudgedQueries
from vectis.rollouts.payloads import carried_keys
from vectis.rollouts.transitions import candidate_shares, stage_of

SPANS = ((3600.0, TICK_S), (86_400.0, 60.0), (math.inf, 600.0))
"""Until a stage has this age (seconds), so much of it is one tick to the judge; two weeks are some 4,000 ticks then. What a tick
holds never changes afterwards, so all looks are at one and the same series of bets."""


class EvidenceReader:
    """Reads the evidence of rollouts, each stage from its beginning on; `forget` what is over."""

    def __init__(
        self,
        *,
        traffic: TrafficStore,
        feedback: FeedbackStore,
        judged: JudgedQueries,
        points: PointReader,
        clock: Clock,
    ) -> None:
        self._traffic = traffic
        self._feedback = feedback
        self._judged = judged
        self._points = points
        self._clock = clock
        self._stages: dict[str, _Observed] = {}

    def forget(self, rollout_id: str) -> None:
        """It is in no stage any more."""
        self._stages.pop(rollout_id, None)

    async def read(self, rollout: Rollout, metrics: Iterable[Metric]) -> dict[str, Evidence] | None:
        """What was observed of each variant that takes part, and of the stable one, since the stage or watch took effect, as far
        as these metrics need it; None when nothing is new.

        What pauses, extensions and other workers do changes nothing: it is all in the store. Only what the collections hold and
        find is asked once a stage and kept in memory; while the embedder is away it is asked at each look, so that the others
        can be judged. Raises what the store raises, and asking but for that.
        """
        if rollout.since is None:
            return None
        kept = self._stages.get(rollout.id)
        if kept is None or kept.since != rollout.since:
            kept = self._stages[rollout.id] = _Observed(rollout.since)
        end = kept.whole_until(settled_before(self._clock.now()))
        if end <= kept.end:
            return None
        names = {metric.name for metric in metrics}
        is_first = kept.end == kept.origin
        asked = kept.judged is None and bool(names.intersection(JUDGED_METRICS))
        if asked:
            with suppress(EmbedderUnavailable):  # what is judged by traffic must not wait for it
                kept.judged = await self._judged.pairs(rollout)
        if is_first and "payload" in names:
            kept.payload = await self._payload(rollout)
        ticks = await self._ticks(rollout, kept, end)
        pairs = await self._traffic.shadow_pairs(rollout.spec.alias, rollout.route_version, since=rollout.since)
        said = await self._said(rollout, end) if "preference" in names else {}
        is_new = is_first or asked or bool(ticks) or len(pairs) != len(kept.pairs) or said != kept.said
        kept.ticks += ticks
        kept.pairs, kept.said, kept.end = pairs, said, end
        return {each.variant: kept.evidence(each.variant) for each in rollout.running} if is_new else None

    async def _ticks(self, rollout: Rollout, kept: "_Observed", end: datetime) -> list[dict[str, VariantTick]]:
        shares = candidate_shares(rollout)
        if not 0 < sum(shares.values()) < 100:
            return []  # one variant alone is compared with nothing
        kept.shares = {STABLE: 100 - sum(shares.values()), **shares}
        alias, version = rollout.spec.alias, rollout.route_version
        reports = await self._traffic.traffic(alias, version, since=kept.end, before=end)
        spans = groupby(reports, lambda report: kept.span_of(report.started))
        return [added_up(of_span, kept.seen) for _, of_span in spans]

    async def _said(self, rollout: Rollout, end: datetime) -> dict[str, list[float]]:
        opinions = await self._feedback.opinions(rollout.spec.alias, rollout.route_version)
        interleaved = rollout.step is Step.STAGE and stage_of(rollout).interleave_percent > 0
        shares = candidate_shares(rollout)
        whole = sum(shares.values())
        return {
            variant: preferences(opinions, candidate=variant, before=end, part=share / whole, interleaved=interleaved)
            for variant, share in shares.items()
            if share > 0
        }

    async def _payload(self, rollout: Rollout) -> dict[str, dict[str, tuple[float, float]]]:
        stable = (await carried_keys(self._points, rollout.stable)).shares
        held = {each.variant: (await carried_keys(self._points, each.collection)).shares for each in rollout.running}
        return {
            variant: {key: (stable.get(key, 0.0), shares.get(key, 0.0)) for key in sorted({*stable, *shares})}
            for variant, shares in held.items()
        }


class _Observed:
    """What was read of one stage so far."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.origin = datetime.fromtimestamp(since.timestamp() // TICK_S * TICK_S, since.tzinfo)
        self.end = self.origin
        self.shares: dict[str, float] = {}
        self.ticks: list[dict[str, VariantTick]] = []
        self.seen: set[int] = set()
        self.pairs: list[ShadowPair] = []
        self.said: dict[str, list[float]] = {}
        self.judged: dict[str, tuple[JudgedPair, ...]] | None = None
        self.payload: dict[str, dict[str, tuple[float, float]]] = {}

    def whole_until(self, settled: datetime) -> datetime:
        """The end of the last span whose ticks are all settled."""
        age_s = (settled - self.origin).total_seconds() + TICK_S
        spans = math.ceil(age_s / _span_s(age_s)) - 1  # a tick that begins when all before it are settled is not
        return self.origin + timedelta(seconds=max(0, spans) * _span_s(age_s))

    def span_of(self, started: datetime) -> int:
        """Alike for ticks that the judge gets as one."""
        age_s = (started - self.origin).total_seconds()
        return int(age_s // _span_s(age_s) * _span_s(age_s))

    def evidence(self, variant: str) -> Evidence:
        """Of this variant and the stable one: what others had of the traffic is left out of both shares."""
        nothing = VariantTick()
        percent = 100 * self.shares[variant] / (self.shares[STABLE] + self.shares[variant]) if self.ticks else 0.0
        return Evidence(
            ticks=tuple(Tick(each.get(STABLE, nothing), each.get(variant, nothing), percent) for each in self.ticks),
            pairs=tuple(pair for pair in self.pairs if pair.variant == variant),
            judged=(self.judged or {}).get(variant, ()),
            preferences=tuple(self.said.get(variant, ())),
            payload=self.payload.get(variant, {}),
        )


def _span_s(age_s: float) -> float:
    return next(span_s for until_s, span_s in SPANS if age_s < until_s)
