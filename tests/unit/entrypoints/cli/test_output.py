"""What people see of a search."""

from typing import Any

import pytest
from rich.console import Console

from vectis.entrypoints.cli.commands import search
from vectis.entrypoints.cli.terminal import output
from vectis.entrypoints.cli.terminal.output import TamedConsole, marked, moment, print_facts

RESULT: dict[str, Any] = {
    "id": "guide.md",
    "score": 0.5,
    "payload": {"title": "Guide", "heading_path": ["Guide", "Install"], "source": "handbook"},
    "snippet": "… run <mark>pip</mark> &lt;install&gt;",
    "explanation": {
        "prefetches": {"dense": {"rank": 1, "score": 0.81}, "sparse": {"rank": 3, "score": 7.0}},
        "fusion": "rrf: k 60",
        "contributions": {"dense": 0.0167},
    },
}


def test_a_snippet_is_unescaped_and_its_matches_are_marked() -> None:
    text = marked("a &amp; <mark>b</mark> c <mark>d</mark>")
    assert text.plain == "a & b c d"
    assert [text.plain[span.start : span.end] for span in text.spans] == ["b", "d"]


def test_a_moment_is_shown_to_the_second() -> None:
    assert (moment("2026-01-02T03:04:05.678Z"), moment(None)) == ("2026-01-02 03:04:05", "")


def test_an_answer_shows_rank_score_place_snippet_and_explanation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(search, "console", Console(width=120))
    monkeypatch.setattr(search, "notes", Console(width=120, stderr=True))
    answer = {"results": [RESULT, RESULT], "degraded": ["dense"], "collection": "docs", "took_ms": 4.2}
    search.show({**answer, "unindexed_filter": ["kind", "tag"]})
    shown, remarks = capsys.readouterr()
    assert " 1  0.5000  Guide > Install" in shown
    assert "guide.md  (handbook)" in shown
    assert "… run pip <install>" in shown
    assert "dense rank 1 score 0.8100 adds 0.0167; sparse rank 3 score 7.0000\n" in shown
    assert remarks.count("rrf: k 60") == 1, "once for all results"
    assert "no payload index serves kind, tag" in remarks
    assert "answered without dense" in remarks
    assert "2 results from docs in 4.2 ms" in remarks


def test_a_table_has_a_heading_and_a_line_for_each_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "console", Console(width=80))
    output.print_table(("name", "points:"), [("docs", 12), ("[b]", None)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["name", "points"], ["docs", "12"], ["[b]"]]


def test_texts_of_others_do_not_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "console", TamedConsole(width=120, force_terminal=True))
    print_facts({"title": "a\x1b[31mred\x07\x9b2J\x7f\ttab"})
    shown = capsys.readouterr().out
    assert "a\ufffd[31mred\ufffd2J\ufffd" in shown.replace("\x07", ""), "rich leaves some out by itself"
    assert "\x1b[1mtitle" in shown, "its own styles are there"
