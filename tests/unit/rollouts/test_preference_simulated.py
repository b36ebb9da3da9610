"""A small part of `make bench-judging`: what users click on in mixed answers keeps harmless candidates and finds worse ones."""

from benchmarks.clicks import ERRORS, Ended, stage


def stages(runs: int, users: int, candidate: str, *, mixed: bool) -> list[Ended]:
    return [stage([23, run], users, candidate=ERRORS[candidate], mixed=mixed) for run in range(runs)]


def test_harmless_candidates_pass() -> None:
    """A rollout may take one in a hundred back; the seed makes the answer always the same."""
    assert [ended.end for ended in stages(12, 800, "as good", mixed=True)] == ["passed"] * 12


def test_damaged_candidates_are_taken_back_by_few_answers() -> None:
    ends = stages(8, 800, "damaged", mixed=True)
    assert {ended.end for ended in ends} == {"failed"}
    assert max(ended.answers for ended in ends) <= 400


def test_clicks_on_answers_of_one_variant_would_hide_it() -> None:
    """Why they do not count where answers are mixed: who likes nothing he is shown clicks on something nevertheless."""
    assert "passed" in {ended.end for ended in stages(4, 800, "damaged", mixed=False)}
