"""How a moment of a rollout looks in a terminal."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console, RenderableType

from vectis.entrypoints.cli.commands.rollout_verbs import show_standing
from vectis.entrypoints.cli.terminal.rollout_view import explained, picture

VARIANT = {"queries": 80, "errors": 1, "empty": 0, "degraded": 0, "p50_ms": 4.5, "p95_ms": 9.0, "p99_ms": None}
METRIC = {
    "name": "error_rate", "verdict": "inconclusive", "reason": "not sure yet", "test": "bets", "samples": 120,
    "stable": 0.0125, "candidate": 0.05, "worsening": 0.0375, "low": -0.01, "high": None,
}  # fmt: skip
TRANSITION = {
    "generation": 4, "at": "2026-03-01T12:00:00Z", "by": "ada promote", "phase": "progressing", "step": "stage",
    "stage": 1, "reason": "looked through",
}  # fmt: skip


def moment(**changes: Any) -> dict[str, Any]:
    stages = [
        {"weight_percent": 0, "mirror_percent": 10, "interleave_percent": 0, "duration_s": 60},
        {"weight_percent": 25, "mirror_percent": 0, "interleave_percent": 20, "duration_s": 1e9},
    ]
    spec = {"strategy": "canary", "change": "reembed", "stages": stages, "watch_s": 300}
    return {
        "alias": "docs", "stable": "docs_1", "candidates": [{"collection": "docs_2"}], "phase": "progressing",
        "step": "stage", "stage": 1,
        "since": datetime.now(UTC).isoformat(), "reason": "", "spec": spec, "mirror_percent": 0,
        "targets": [
            {"collection": "docs_1", "variant": "stable", "weight_percent": 75},
            {"collection": "docs_2", "variant": "candidate", "weight_percent": 25},
        ],
        "figures": {"candidate": VARIANT, "stable": {**VARIANT, "queries": 240}},
        "judgements": {"candidate": {"metrics": [METRIC]}}, "transitions": [TRANSITION], "decision": None, **changes,
    }  # fmt: skip


def shown(**changes: Any) -> list[str]:
    return printed(picture(moment(**changes)))


def printed(what: RenderableType) -> list[str]:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return [" ".join(line.split()) for line in capture.get().splitlines()]


@pytest.mark.parametrize(("step", "told"), [("stage", "stage 2 of 2"), ("build", "build")])
def test_stages_are_counted_as_reasons_count_them(capsys: pytest.CaptureFixture[str], step: str, told: str) -> None:
    candidate = {"collection": "docs_2", "variant": "candidate", "weight_percent": None, "out": ""}
    show_standing(moment(id="r1", step=step, candidates=[candidate], chosen="", attempt=1), as_json=False)
    assert f"step {told}" in [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_everything_is_on_one_screen() -> None:
    lines = shown()
    assert lines[0] == "docs canary of a reembed: docs_1 -> docs_2 progressing"
    assert lines[1] == "build validate stage 1 (10 % mirrored) stage 2 (25 %, 20 % interleaved) switch watch grace"
    assert "75 % docs_1" in lines[3]
    assert lines[3].count("█") == 40
    assert [line for line in lines if line.startswith(("queries", "errors", "p50", "p99"))] == [
        "queries 240 80",
        "errors 1 1",
        "p50 ms 4.5 4.5",
        "p99 ms",
    ]
    assert "error_rate inconclusive 0.0125 0.05 0.0375 -0.01 to inf 120 bets not sure yet" in lines
    assert lines[-1] == "2026-03-01 12:00:00 progressing at stage 2 ada promote: looked through"


def test_what_there_is_nothing_of_is_left_out() -> None:
    lines = shown(step="build", stage=0, since=None, targets=[], figures={}, judgements={}, transitions=[])
    assert len(lines) == 2


def test_what_was_judged_is_explained_with_both_answers_side_by_side() -> None:
    pairs = [
        {"query": "how do I begin", "stable": ["a", "b"], "candidate": ["c"]},
        {"query": "91af0b", "stable": ["a"], "candidate": []},
    ]
    split = {**METRIC, "name": "split", "verdict": "successful", "test": "bet on the split"}
    judgement = {"verdict": "failed", "reason": "churn", "metrics": [METRIC], "split": split, "different": pairs}
    kept = {"generation": 4, "variant": "candidate", "judgement": judgement}
    lines = printed(explained(moment(judgements=[kept])))
    assert lines[0].endswith("progressing at stage 2 ada promote: looked through")
    assert "stage 2, 2026-03-01 12:00:00: failed churn" in lines
    names = [line.split()[0] for line in lines if "samples" not in line and "bet" in line]
    assert names == ["error_rate", "split"]
    assert lines[-4:] == ["query rank stable candidate", "how do I begin 1 a c", "2 b -", "91af0b 1 a -"]


def test_before_anything_was_judged_the_transitions_are_there() -> None:
    assert len(printed(explained(moment(judgements=[])))) == 1


def test_a_transition_that_changes_nothing_tells_that_the_route_is_set() -> None:
    again = {**TRANSITION, "generation": 5, "by": "reconciler"}
    lines = printed(explained(moment(transitions=[TRANSITION, again], judgements=[])))
    assert lines[1] == "2026-03-01 12:00:00 progressing at stage 2 reconciler: in effect"


def test_of_several_variants_each_is_told_apart_and_the_decision_stands_below() -> None:
    candidates = [{"collection": f"docs_{name}", "weight_percent": 25, "variant": name, "out": ""} for name in "ab"]
    judgement = {"verdict": "successful", "reason": "fine", "metrics": [METRIC], "split": METRIC, "different": []}
    kept = [{"generation": 4, "variant": name, "judgement": judgement} for name in "ab"]
    findings = [
        {"variant": "a", "verdict": "successful", "reason": "fine", "judged": METRIC},
        {"variant": "b", "verdict": "failed", "reason": "too slow", "judged": None},
    ]
    decision = {"better": "a", "metric": "ndcg@10", "reason": "a is surely better", "findings": findings}
    lines = printed(explained(moment(candidates=candidates, judgements=kept, decision=decision)))
    assert [line for line in lines if ": successful fine" in line] == [
        f"{name} at stage 2, 2026-03-01 12:00:00: successful fine" for name in "ab"
    ]
    assert lines[-4] == "decision: a is surely better"
    assert lines[-2:] == ["a successful 0.0125 0.05 0.0375 -0.01 to inf fine", "b failed too slow"]
    live = shown(candidates=candidates, judgements={"a": judgement, "b": judgement})
    assert live[0] == "docs canary of a reembed: docs_1 -> docs_a, docs_b progressing"
    assert [line for line in live if line.endswith(": successful")] == ["a: successful", "b: successful"]
