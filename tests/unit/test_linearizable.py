"""The checker of histories accepts what one order explains, and nothing else."""

from linearizable import Access, violations

WRITE = Access(10.0, 12.0, 2)


def test_while_a_write_is_under_way_either_version_may_be_seen() -> None:
    assert violations([Access(1, 2, 1), Access(9, 11, 1), Access(10.5, 11, 2), Access(11.5, 13, 2)], [WRITE]) == []
    assert violations([Access(10.5, 11.2, 2), Access(11.1, 11.3, 1)], [WRITE]) == [], "these two overlap"


def test_who_saw_the_new_version_is_not_followed_by_who_sees_the_old_one() -> None:
    (found,) = violations([Access(10.5, 11.0, 2), Access(11.1, 11.3, 1)], [WRITE])
    assert "version=1) is older than 2" in found


def test_an_old_version_is_not_seen_after_the_write() -> None:
    assert violations([Access(12.1, 13, 1)], [WRITE])


def test_nothing_is_seen_before_it_is_written() -> None:
    (found,) = violations([Access(8.0, 9.0, 2)], [WRITE])
    assert "was over before version 2 was written" in found


def test_long_histories_are_told_apart_by_one_access() -> None:
    reads = [Access(float(n), n + 1.5, n // 10) for n in range(1000)]
    assert violations(reads) == []
    assert violations([*reads, Access(700.9, 701.0, 60)])
