"""`make demo`, with a folder given instead of the thousand pages, and `make demo-release` as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


def test_the_demo_answers_three_questions_and_ends_well(tmp_path: Path) -> None:
    for name in ("Apples", "Bread", "Cheese"):
        (tmp_path / f"{name.lower()}.md").write_text(f"# {name}\n\nThis page is about {name.lower()}.\n")
    run = subprocess.run(
        [sys.executable, DEMO, str(tmp_path)], capture_output=True, text=True, timeout=240, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    for name in ("Apples", "Bread", "Cheese"):
        asked = next(i for i, line in enumerate(lines) if line.startswith(f"{name} ("))
        assert lines[asked + 1].split()[:1] == ["1"]
        assert name in lines[asked + 1]
    assert "How to go on" in run.stdout


@pytest.mark.slow
def test_one_release_goes_live_and_the_other_is_taken_back() -> None:
    release = DEMO.with_name("demo_release.py")
    run = subprocess.run([sys.executable, release], capture_output=True, text=True, timeout=1200, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "healthy: the candidate serves all traffic" in run.stdout
    assert "aborted: the candidate is not valid: ndcg@10" in run.stdout


def test_pages_are_the_same_each_time() -> None:
    script = "import json, pages; print(json.dumps(pages.collect(2000)))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, cwd=DEMO.parent, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1
    assert runs.pop().count('"id": ') > 900
