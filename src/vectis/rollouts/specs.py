"""Whether a spec makes sense, said before anything happens; and what its stages must show. Pure."""

from collections import defaultdict
from itertools import pairwise

from vectis.domain.errors import InvalidInput
from vectis.domain.judgements import Analysis, Metric
from vectis.domain.rollouts import ChangeKind, RolloutSpec, Stage, Strategy
from vectis.rollouts.judged_queries import JUDGED_METRICS
from vectis.rollouts.judging.defaults import OF_PAIRS, stage_analysis, watch_analysis
from vectis.rollouts.judging.judge import queries_to_pass, shared_among

QUERIES_MAX = 1000
"""Queries of `validation`, judged ones and others."""


def check_spec(spec: RolloutSpec) -> None:
    """InvalidInput, naming the field, for a spec that no rollout can follow."""
    for number, stage in enumerate(spec.stages):
        _check_stage(stage, f"stages[{number}]")
        if stage.interleave_percent > 0:
            _check_interleaved(spec, stage, f"stages[{number}].interleave_percent")
    _check_strategy(spec)
    for number, metric in enumerate(spec.metrics or ()):
        _refuse(metric.margin > metric.tolerance, f"metrics[{number}].margin", "must not be above the tolerance")
        _refuse(metric.samples_min < 1, f"metrics[{number}].samples_min", "must be 1 at least")
    _refuse(spec.metrics == (), "metrics", "is empty: leave it out to get the defaults of the change")
    _refuse(spec.watch_s < 0, "watch_s", "must not be negative")
    _refuse(spec.grace_s is not None and spec.grace_s < 0, "grace_s", "must not be negative")
    _refuse(spec.policy.extensions_max < 0, "policy.extensions_max", "must not be negative")
    if spec.decides_by is not None:
        judged = {metric.name for stage in spec.stages for metric in analysis_of(spec, stage).metrics}
        _refuse(spec.promotes, "decides_by", "is for what ends with a decision, and this rollout promotes by itself")
        _refuse(spec.decides_by not in judged, "decides_by", f"{spec.decides_by} is not judged in any stage")
    for number, hook in enumerate(spec.hooks):
        _refuse(not hook.url.startswith(("http://", "https://")), f"hooks[{number}].url", "must be http or https")
        _refuse(not 0 < hook.timeout_s <= 60, f"hooks[{number}].timeout_s", "must be above 0 and 60 at most")


def analysis_of(spec: RolloutSpec, stage: Stage | None) -> Analysis:
    """What this stage must show, or the watch (None): the metrics of the spec, or the defaults of its change.

    A watch has mirrored queries only, and a stage without two variants to compare shows nothing.
    """
    if stage is None:
        own = tuple(metric for metric in spec.metrics or () if metric.name in OF_PAIRS)
        return Analysis(own) if spec.metrics else watch_analysis(spec.change)
    if not stage.is_judged:
        return Analysis(())
    if spec.metrics:
        return Analysis(spec.metrics)
    return stage_analysis(spec.change, stage, has_judged=bool(spec.validation.judged))


def warnings_of(spec: RolloutSpec, *, variants: int = 1) -> tuple[str, ...]:
    """What will keep stages from passing by themselves: fewer judged queries than their metrics need to be sure of each of so
    many variants."""
    given = len(spec.validation.judged)
    short: defaultdict[str, list[str]] = defaultdict(list)
    for metric, analysis in _judged_metrics(spec):
        needed = queries_to_pass(metric, shared_among(analysis, variants), most=QUERIES_MAX)
        if needed is None or needed > given:
            fewest = f"{needed} at least" if needed else f"more than {QUERIES_MAX}"
            short[f"{fewest} to be sure within a tolerance of {metric.tolerance:g}"].append(metric.name)
    return tuple(
        f"validation.judged: {given} queries. It takes {fewest}, even if no answer gets better or worse, "
        f"and until then no stage passes by itself ({', '.join(names)})"
        for fewest, names in short.items()
    )


def _judged_metrics(spec: RolloutSpec) -> list[tuple[Metric, Analysis]]:
    """Each metric of judged queries that a stage asks for, once."""
    analyses = [analysis_of(spec, stage) for stage in spec.stages]
    found = {metric: analysis for analysis in analyses for metric in analysis.metrics if metric.name in JUDGED_METRICS}
    return list(found.items())


def _check_stage(stage: Stage, where: str) -> None:
    for name in ("weight_percent", "mirror_percent", "interleave_percent"):
        percent = getattr(stage, name)
        _refuse(not 0 <= percent <= 100, f"{where}.{name}", "must be from 0 to 100")
        _refuse(round(percent, 2) != percent, f"{where}.{name}", "has two decimals at most")
    _refuse(stage.duration_s < 0, f"{where}.duration_s", "must not be negative")
    _refuse(stage.duration_max_s <= 0, f"{where}.duration_max_s", "must be above 0")
    _refuse(not 0 < stage.excess_errors < 1, f"{where}.excess_errors", "must be between 0 and 1")


def _check_interleaved(spec: RolloutSpec, stage: Stage, field: str) -> None:
    _refuse(not 0 < stage.weight_percent < 100, field, "is for a stage whose weight_percent is between 0 and 100")
    _refuse(
        spec.change is ChangeKind.REFRESH,
        field,
        "a data_refresh changes the documents: old and fresh ones cannot be compared by being shown together",
    )
    _refuse(
        stage.interleave_percent == 100 and spec.metrics is None,
        field,
        "of all routing keys leaves none whose errors and latency could be compared: say less, or which metrics to judge",
    )


def _check_strategy(spec: RolloutSpec) -> None:
    stages, strategy = spec.stages, spec.strategy
    if strategy is Strategy.BLUE_GREEN:
        _refuse(bool(stages), "stages", "a blue_green rollout has none; use canary for shares")
        _refuse(not spec.promotes, "promotes", "a blue_green rollout that does not promote does nothing")
        return
    _refuse(not stages, "stages", f"a {strategy} rollout needs one at least")
    if strategy is Strategy.CANARY:
        shrinks = any(after.weight_percent < before.weight_percent for before, after in pairwise(stages))
        _refuse(shrinks, "stages", "shares must not shrink from stage to stage")
        _refuse(
            not any(stage.is_judged for stage in stages), "stages", "none can be judged: give one a share below 100"
        )
    if strategy is Strategy.SHADOW:
        takes = any(stage.weight_percent > 0 or stage.mirror_percent == 0 for stage in stages)
        _refuse(takes, "stages", "a shadow takes no traffic (weight_percent 0) and mirrors some (mirror_percent)")
    if strategy is Strategy.EXPERIMENT:
        splits = {stage.weight_percent for stage in stages}
        fixed = len(splits) == 1 and 0 < splits.pop() < 100
        _refuse(not fixed, "stages", "an experiment keeps one split, between 0 and 100")


def _refuse(wrong: bool, field: str, why: str) -> None:
    if wrong:
        raise InvalidInput(f"{field}: {why}", field=field)
