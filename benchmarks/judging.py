"""How often the judge is wrong and how fast it is right: simulated canaries, looked at every tick.

`python -m benchmarks.judging [--only same,worse] [--same 10000] [--worse 1000]` writes benchmarks/results/judging.json.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy import stats

from benchmarks import clicks, experiments
from benchmarks.canaries import Canary, Effect, joined
from benchmarks.machine import environment
from vectis.domain.evidence import Evidence
from vectis.domain.judgements import Analysis, Metric, MetricName
from vectis.domain.rollouts import ChangeKind, Stage
from vectis.rollouts.judging.betting import best
from vectis.rollouts.judging.defaults import stage_analysis
from vectis.rollouts.judging.games import Game, query_games, traffic_games
from vectis.rollouts.judging.judge import certainty_to_fail
from vectis.rollouts.judging.series import Series

STAGES = ((0.05, 60, 0.05), (0.25, 120, 0.02), (0.50, 240, 0.01))
"""Share of the candidate, ticks of 30 s, excess of errors that the stage bears: the default stages with traffic to compare."""

EXTENSIONS_MAX = 12
"""A stage that is not yet sure goes on for its length again, at most this often; then a human is asked."""

JUDGED_QUERIES = 2000
JUDGED_PER_TICK = 10
JUDGED: tuple[MetricName, ...] = ("ndcg@10", "recall@10")
WORSE = {"latency +30 %": Effect(latency=1.3), "errors +2 %": Effect(errors=0.02), "nDCG@10 -5 %": Effect(ndcg=0.05)}
SWEEP = {
    **{f"latency +{percent} %": Effect(latency=1 + percent / 100) for percent in (5, 10, 15, 20, 50)},
    **{f"errors +{percent} %": Effect(errors=percent / 100) for percent in (0.2, 0.5, 1, 5)},
    **{f"nDCG@10 -{percent} %": Effect(ndcg=percent / 100) for percent in (1, 2, 3, 10)},
}
CURVE = (100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000, 10_000, 15_000)
RESULT = Path(__file__).parent / "results" / "judging.json"


class Outcome(msgspec.Struct, frozen=True):
    """How a rollout ended: promoted, aborted or paused; why and after how much."""

    end: str
    metric: str = ""
    stage: int = 0
    candidate_queries: int = 0
    queries: int = 0
    judged_queries: int = 0


def roll_out(canary: Canary) -> Outcome:
    """One rollout of the default analysis for new embeddings, judged at every tick."""
    by_queries = query_games(Evidence(judged=canary.judged(JUDGED_QUERIES)))
    judged = {name: by_queries[name]() for name in JUDGED}
    before = np.zeros(2)
    for stage, (share, ticks, excess) in enumerate(STAGES):
        analysis = stage_analysis(ChangeKind.REEMBED, Stage(share * 100, duration_s=30.0 * ticks, excess_errors=excess))
        series = canary.ticks(ticks, share, first=True)
        for extension in range(EXTENSIONS_MAX + 1):
            games = traffic_games(series)
            playing = [
                (each, judged[each.name] if each.name in JUDGED else games[each.name]()) for each in analysis.metrics
            ]
            queries = np.cumsum([series.candidate.queries, series.stable.queries], axis=1)
            failed = _first_failure(playing, certainty_to_fail(analysis, stages=len(STAGES)))
            if failed is not None and failed[0] < queries.shape[1]:
                tick, metric, looks = failed
                seen = before + queries[:, tick]
                judged_seen = looks if metric in JUDGED else 0
                return Outcome("aborted", metric, stage, int(seen[0]), int(seen.sum()), judged_seen)
            if _passes(playing, analysis):
                break
            if extension == EXTENSIONS_MAX:
                return Outcome("paused", "", stage, *_totals(before, queries))
            series = joined(series, canary.ticks(ticks, share, first=False))
        before = before + queries[:, -1]
    return Outcome("promoted", "", len(STAGES), int(before[0]), int(before.sum()))


def _first_failure(playing: Sequence[tuple[Metric, Game]], needed: float) -> tuple[int, str, int] | None:
    """The first (tick, metric, looks) at which a metric failed."""
    found = []
    for metric, game in playing:
        sure = game.play(metric.margin, 1) >= needed
        if sure.any():
            look = int(sure.argmax())
            per_tick = JUDGED_PER_TICK if metric.name in JUDGED else 1
            found.append((look // per_tick, metric.name, look + 1))
    return min(found) if found else None


def _passes(playing: Sequence[tuple[Metric, Game]], analysis: Analysis) -> bool:
    needed = math.log(1 / analysis.false_pass_rate)
    return all(
        game.samples >= metric.samples_min and best(game.play(metric.tolerance, -1)) >= needed
        for metric, game in playing
    )


def _totals(before: np.ndarray, queries: np.ndarray) -> tuple[int, int]:
    total = before + queries[:, -1]
    return int(total[0]), int(total.sum())


def study(effect: Effect, runs: int, *, seed: int, per_key_max: int | None = 3) -> dict[str, Any]:
    """Ends of so many rollouts, and after how many queries those that were aborted were."""
    with ProcessPoolExecutor() as processes:
        outcomes = list(processes.map(partial(_seeded, effect, per_key_max, seed), range(runs), chunksize=20))
    ends = Counter(outcome.end for outcome in outcomes)
    aborted = [outcome for outcome in outcomes if outcome.end == "aborted"]
    return {
        "runs": runs,
        **{end: ends[end] for end in ("promoted", "aborted", "paused")},
        "aborted_upper_95": _upper(ends["aborted"], runs),
        "promoted_upper_95": _upper(ends["promoted"], runs),
        "by_metric": dict(Counter(outcome.metric for outcome in aborted).most_common()),
        "aborted_within_candidate_queries": _curve([outcome.candidate_queries for outcome in aborted], runs),
        "aborted_after_candidate_queries": _quantiles([outcome.candidate_queries for outcome in aborted]),
        "aborted_after_queries": _quantiles([outcome.queries for outcome in aborted]),
        "aborted_after_judged_queries": _quantiles([o.judged_queries for o in aborted if o.judged_queries]),
        "promoted_after_queries": _quantiles([outcome.queries for outcome in outcomes if outcome.end == "promoted"]),
    }


def _seeded(effect: Effect, per_key_max: int | None, seed: int, run: int) -> Outcome:
    return roll_out(Canary(np.random.default_rng([seed, run]), effect, per_key_max=per_key_max))


def naive(runs: int, *, seed: int) -> dict[str, Any]:
    """The same harmless candidates under fixed-sample z-tests at 1 %, over all queries so far, at every tick of one stage."""
    share, ticks, _ = STAGES[1]
    once, every = 0, 0
    for run in range(runs):
        series: Series = Canary(np.random.default_rng([seed, run]), Effect()).ticks(ticks, share, first=True)
        hits = np.cumsum([series.candidate.empty, series.stable.empty], axis=1)
        trials = np.cumsum([series.candidate.queries, series.stable.queries], axis=1)
        pooled = hits.sum(axis=0) / trials.sum(axis=0)
        deviation = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / trials).sum(axis=0), 1e-12))
        sure = (hits[0] / trials[0] - hits[1] / trials[1]) / deviation > stats.norm.ppf(0.99)
        once += bool(sure[-1])
        every += bool(sure.any())
    return {"runs": runs, "aborted_looking_once": once, "aborted_looking_every_tick": every}


def _upper(count: int, runs: int) -> float:
    """Upper end of the exact 95 % interval (one-sided) of a share."""
    return 1.0 if count == runs else round(float(stats.beta.ppf(0.95, count + 1, runs - count)), 5)


def _curve(queries: Sequence[int], runs: int) -> dict[str, float]:
    """Share of all rollouts that were aborted within so many queries."""
    return {str(limit): round(sum(each <= limit for each in queries) / runs, 4) for limit in CURVE} if queries else {}


def _quantiles(values: Sequence[int]) -> dict[str, int]:
    if not values:
        return {}
    levels = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: int(np.quantile(values, level, method="higher")) for name, level in levels.items()}


def _same(same: int, _worse: int) -> dict[str, Any]:
    return study(Effect(), same, seed=1)


def _worse(_same: int, worse: int) -> dict[str, Any]:
    return {name: study(effect, worse, seed=number) for number, (name, effect) in enumerate(WORSE.items(), 2)}


def _sweep(_same: int, worse: int) -> dict[str, Any]:
    return {name: study(effect, worse // 5, seed=number) for number, (name, effect) in enumerate(SWEEP.items(), 50)}


def _heavy(_same: int, worse: int) -> dict[str, Any]:
    return study(Effect(), worse, seed=9, per_key_max=None)


def _naive(_same: int, worse: int) -> dict[str, Any]:
    return naive(worse, seed=10)


def _clicks(_same: int, worse: int) -> dict[str, Any]:
    return clicks.study(worse // 10)


def _experiments(_same: int, worse: int) -> dict[str, Any]:
    return experiments.study(worse)


STUDIES = {
    "same": _same,
    "worse": _worse,
    "sweep": _sweep,
    "same_but_every_query_of_heavy_users_counts": _heavy,
    "same_under_fixed_sample_z_tests": _naive,
    "users_click": _clicks,
    "three_variants": _experiments,
}


def main() -> None:
    """Run the studies that were asked for and put their results in place of the earlier ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(STUDIES), help=f"studies, of {', '.join(STUDIES)}")
    parser.add_argument("--same", type=int, default=10_000, help="rollouts of a candidate that is the same")
    parser.add_argument("--worse", type=int, default=1_000, help="rollouts of each worse candidate")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        found = json.loads(RESULT.read_text())["judging"] if RESULT.exists() else {}
        found[name] = STUDIES[name](arguments.same, arguments.worse)
        print(name, json.dumps(found[name], indent=1), flush=True)
        RESULT.write_text(json.dumps({**environment(), "judging": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
