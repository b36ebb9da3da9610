"""Rollouts as metrics, asked for when the page is: how far those are that are not done, and how many ended how."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vectis.domain.judgements import Judgement
from vectis.domain.rollouts import Phase, Rollout


class RolloutStanding(msgspec.Struct, frozen=True):
    """A rollout, since when it is in its phase and what was judged last of where it stands, by variant."""

    rollout: Rollout
    since: datetime
    judgements: Mapping[str, Judgement]


class RolloutStandings(Collector):
    """One look: of each alias the newest rollout that is not done; how often an alias was moved for good, by the phase then."""

    def __init__(
        self, standings: Sequence[RolloutStanding], switches: Mapping[tuple[str, Phase], int], now: datetime
    ) -> None:
        self._standings = standings
        self._switches = switches
        self._now = now

    def collect(self) -> Iterable[Metric]:
        phases = GaugeMetricFamily(
            "vectis_rollout_phase", "1 for the phase that a rollout is in, 0 for the others", labels=["alias", "phase"]
        )
        seconds = GaugeMetricFamily("vectis_rollout_phase_seconds", "Since it is in this phase", labels=["alias"])
        stage = GaugeMetricFamily("vectis_rollout_stage", "Its stage, from 1; 0 before and after", labels=["alias"])
        verdicts = GaugeMetricFamily(
            "vectis_rollout_verdict", "1 for what was judged last", labels=["alias", "variant", "metric", "verdict"]
        )
        for each in self._standings:
            alias, rollout = each.rollout.spec.alias, each.rollout
            for phase in Phase:
                phases.add_metric([alias, phase.value], float(phase is rollout.phase))
            seconds.add_metric([alias], max(0.0, (self._now - each.since).total_seconds()))
            stage.add_metric([alias], rollout.stage + 1 if rollout.step == "stage" else 0)
            for variant, judgement in each.judgements.items():
                verdicts.add_metric([alias, variant, "all", judgement.verdict.value], 1)
                for metric in judgement.metrics:
                    verdicts.add_metric([alias, variant, metric.name, metric.verdict.value], 1)
        yield from (phases, seconds, stage, verdicts)
        yield from self._ends()

    def _ends(self) -> Iterable[Metric]:
        for name, means, phase in (
            ("promotions", "Candidates that got all traffic for good", Phase.PROGRESSING),
            (
                "aborts",
                "Rollouts whose traffic went back to the stable variant, before or after promotion",
                Phase.ABORTED,
            ),
        ):
            family = CounterMetricFamily(f"vectis_rollout_{name}", means, labels=["alias"])
            for (alias, moved_in), count in self._switches.items():
                if moved_in is phase:
                    family.add_metric([alias], count)
            yield family
