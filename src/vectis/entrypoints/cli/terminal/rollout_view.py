"""A moment of a rollout as text and tables for a terminal: the steps and how far they are, the traffic, figures and verdicts."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vectis.entrypoints.cli.terminal.output import moment

BAR = 40
LINES = 5
"""Transitions on the screen."""
STEPS = ("build", "validate", "stage", "switch", "watch", "grace")
ANSWER_SHOWN = 10
"""Ids of each answer that are shown side by side."""

PHASE_STYLES = {
    "pending": "cyan",
    "progressing": "cyan",
    "paused": "yellow",
    "degraded": "red",
    "aborted": "red",
    "healthy": "green",
}
VERDICT_STYLES = {"successful": "green", "failed": "red", "inconclusive": "yellow", "error": "red"}
FIGURES = {
    "queries": "queries",
    "errors": "errors",
    "empty": "empty answers",
    "degraded": "degraded answers",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
}
"""Field of a variant's figures -> its name on the screen."""


def picture(rollout: dict[str, Any]) -> RenderableType:
    """All of a moment, one below the other; what there is nothing of is left out."""
    parts: list[RenderableType] = [_title(rollout), _steps(rollout), *_progress(rollout)]
    if rollout["targets"]:
        parts.append(_traffic(rollout["targets"], rollout["mirror_percent"]))
    if rollout["figures"]:
        parts.append(_figures(rollout["figures"]))
    for variant, judgement in rollout["judgements"].items():
        if len(rollout["judgements"]) > 1:
            parts.append(_named(variant, judgement))
        parts.append(verdicts(judgement["metrics"]))
    return Group(*parts, *transition_lines(rollout["transitions"])[-LINES:])


def explained(rollout: dict[str, Any]) -> RenderableType:
    """Every transition, every judgement with its metrics and the queries whose answers differ most, and the decision."""
    parts: list[RenderableType] = [*transition_lines(rollout["transitions"])]
    several = len(rollout["candidates"]) > 1
    stood = {each["generation"]: each for each in rollout["transitions"]}
    for kept in rollout["judgements"]:
        judgement, at = kept["judgement"], stood[kept["generation"]]
        where = f"stage {at['stage'] + 1}" if at["step"] == "stage" else at["step"]
        where = f"{kept['variant']} at {where}" if several else where
        title = Text.assemble(
            (f"\n{where}, {moment(at['at'])}: ", "bold"),
            _verdict(judgement),
            f"  {judgement['reason']}",
        )
        split = [judgement["split"]] if judgement["split"]["samples"] else []
        parts += [title, verdicts([*judgement["metrics"], *split])]
        if judgement["different"]:
            parts += [Text("answers that differ most", "bold"), _answers(judgement["different"])]
    return Group(*parts, *_decision(rollout["decision"]))


def standing(candidate: dict[str, Any]) -> str:
    """A candidate's collection, with its own share if it has one, and why it was taken out if it was."""
    share = "" if candidate["weight_percent"] is None else f", {candidate['weight_percent']:g} %"
    return f"{candidate['collection']}{share}" + (f", taken out: {candidate['out']}" if candidate["out"] else "")


def collections(rollout: dict[str, Any]) -> str:
    """The candidates' collections in one cell."""
    return ", ".join(each["collection"] for each in rollout["candidates"])


def _decision(decision: dict[str, Any] | None) -> list[RenderableType]:
    if decision is None:
        return []
    table = _table("variant", "verdict", "stable:", "variant's:", "worse by:", "surely within", "why")
    for finding in decision["findings"]:
        judged: dict[str, Any] = finding["judged"] or dict.fromkeys(("stable", "candidate", "worsening", "low", "high"))
        table.add_row(finding["variant"], _verdict(finding), *_compared(judged), Text(finding["reason"]))
    return [Text.assemble(("\ndecision: ", "bold"), decision["reason"]), table]


def _named(variant: str, judgement: dict[str, Any]) -> Text:
    return Text.assemble((f"{variant}: ", "bold"), _verdict(judgement))


def _verdict(judged: dict[str, Any]) -> Text:
    return Text(judged["verdict"], VERDICT_STYLES[judged["verdict"]])


def _compared(judged: dict[str, Any]) -> tuple[str, ...]:
    """Both variants' figures, how much worse the one is, and within which bounds."""
    figures = (_number(judged[name]) for name in ("stable", "candidate", "worsening"))
    return (*figures, _interval(judged["low"], judged["high"]))


def verdicts(metrics: Iterable[dict[str, Any]]) -> Table:
    """Each metric with the figures of both variants, how much worse the candidate is and within which bounds, and why."""
    table = _table(
        "metric", "verdict", "stable:", "candidate:", "worse by:", "surely within", "samples:", "test", "why"
    )
    for metric in metrics:
        told = (str(metric["samples"]), metric["test"], Text(metric["reason"]))
        table.add_row(metric["name"], _verdict(metric), *_compared(metric), *told)
    return table


def transition_lines(transitions: Sequence[dict[str, Any]]) -> list[Text]:
    """A line for each transition: when, what it became, who made it and why. One that changes none of this is about the route:
    by then the alias led where the step before it said."""
    befores = [None, *transitions]
    return [
        _line(each, is_same=_place(before) == _place(each)) for before, each in zip(befores, transitions, strict=False)
    ]


def _place(transition: dict[str, Any] | None) -> tuple[Any, ...]:
    return () if transition is None else tuple(transition[name] for name in ("phase", "step", "stage", "reason"))


def _line(transition: dict[str, Any], *, is_same: bool) -> Text:
    stage = f" {transition['stage'] + 1}" if transition["step"] == "stage" else ""
    why = "in effect" if is_same else transition["reason"]
    return Text.assemble(
        (f"{moment(transition['at'])}  ", "dim"),
        (transition["phase"], PHASE_STYLES[transition["phase"]]),
        f" at {transition['step']}{stage}  {transition['by']}",
        f": {why}" if why else "",
    )


def _title(rollout: dict[str, Any]) -> Text:
    spec = rollout["spec"]
    return Text.assemble(
        (rollout["alias"], "bold"),
        f"  {spec['strategy']} of a {spec['change']}: {rollout['stable']} -> {collections(rollout)}  ",
        (rollout["phase"], f"bold {PHASE_STYLES[rollout['phase']]}"),
        f"  {rollout['reason']}" if rollout["reason"] else "",
    )


def _steps(rollout: dict[str, Any]) -> Text:
    """All steps in a row, each stage of its own; what lies behind is green, what is now stands out."""
    names: list[str] = []
    now = 0
    for step in STEPS:
        if step == rollout["step"]:
            now = len(names) + (rollout["stage"] if step == "stage" else 0)
        if step == "stage":
            names += [f"stage {i + 1} ({_share(stage)})" for i, stage in enumerate(rollout["spec"]["stages"])]
        else:
            names.append(step)
    text = Text()
    for position, name in enumerate(names):
        style = "green" if position < now else "bold reverse" if position == now else "dim"
        text.append("" if not text else "  ").append(name, style)
    return text


def _share(stage: dict[str, Any]) -> str:
    mirrored = f"{stage['mirror_percent']:g} % mirrored" if stage["mirror_percent"] else ""
    share = f"{stage['weight_percent']:g} %" if stage["weight_percent"] or not mirrored else ""
    mixed = f"{stage['interleave_percent']:g} % interleaved" if stage["interleave_percent"] else ""
    return ", ".join(part for part in (share, mixed, mirrored) if part)


def _progress(rollout: dict[str, Any]) -> list[RenderableType]:
    """How much of its least time the stage or the watch has had; nothing where time does not matter."""
    if rollout["step"] == "stage":
        least_s = rollout["spec"]["stages"][rollout["stage"]]["duration_s"]
    elif rollout["step"] == "watch":
        least_s = rollout["spec"]["watch_s"]
    else:
        return []
    if rollout["since"] is None or not least_s:
        return []
    passed_s = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(rollout["since"])).total_seconds())
    row = Table.grid(padding=(0, 2))
    row.add_row(
        "least time", ProgressBar(least_s, min(passed_s, least_s), width=BAR), f"{passed_s:.0f} of {least_s:.0f} s"
    )
    return [row]


def _answers(pairs: Iterable[dict[str, Any]]) -> Table:
    """Both answers to each query side by side, in the order of their ranks; what only one of them has stands out."""
    table = _table("query", "rank:", "stable", "candidate")
    for pair in pairs:
        answers = [pair["stable"], pair["candidate"]]
        for rank in range(min(ANSWER_SHOWN, max(1, *map(len, answers)))):
            cells = [
                Text(answer[rank], "" if answer[rank] in other else "bold magenta") if rank < len(answer) else Text("-")
                for answer, other in zip(answers, answers[::-1], strict=True)
            ]
            table.add_row("" if rank else Text(pair["query"]), str(rank + 1), *cells)
    return table


def _traffic(targets: Sequence[dict[str, Any]], mirror_percent: float) -> Text:
    text = Text("traffic  ")
    for target, style in zip(targets, cycle(("blue", "magenta", "cyan", "yellow")), strict=False):
        text.append("█" * round(target["weight_percent"] * BAR / 100), style)
        text.append(f" {target['weight_percent']:g} % {target['collection']} ")
    return text.append(f" {mirror_percent:g} % mirrored" if mirror_percent else "")


def _figures(figures: dict[str, dict[str, Any]]) -> Table:
    variants = sorted(figures, key=lambda variant: (variant != "stable", variant))
    table = _table("", *(f"{variant}:" for variant in variants))
    for field, name in FIGURES.items():
        table.add_row(name, *(_number(figures[variant][field]) for variant in variants))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.rstrip(":"), justify="right" if column.endswith(":") else "left")
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None and high is None else f"{_number(low) or '-inf'} to {_number(high) or 'inf'}"
