"""A small part of `benchmarks/experiments.py`: harmless variants are left alone, and one that is better is found."""

from collections import Counter

from benchmarks.experiments import GAINS, experiment

RUNS = 40


def ends(name: str) -> Counter[tuple[str, str]]:
    """How often each variant ended so; the seeds make it always the same."""
    return Counter(end for run in range(RUNS) for end in experiment([23, run], GAINS[name]).items())


def test_of_harmless_variants_hardly_any_is_called_better_and_none_is_taken_out() -> None:
    """Five in a hundred experiments may call one better, one in a hundred may take one out, looked at after every rating."""
    found = ends("all alike")
    assert sum(found[variant, "better"] for variant in "abc") <= 2
    assert sum(found[variant, "out"] for variant in "abc") == 0


def test_the_better_variant_is_told_from_the_others() -> None:
    found = ends("a better by 0.1")
    assert found["a", "better"] >= 0.9 * RUNS
    assert found["b", "better"] + found["c", "better"] <= 2
