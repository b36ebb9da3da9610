"""What an estimate says, and what it leaves open."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from vectis.domain.jobs import Job, JobProgress, JobState
from vectis.rollouts.estimating import Estimate, Rates, in_total, rates_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(**counts: int) -> Job:
    return Job(
        "id", "ingest", JobState.DONE, {"collection": "docs"}, JobProgress(1, 1, "documents", counts), created_at=NOW
    )


@pytest.mark.parametrize(
    ("jobs", "rates"),
    [
        ([], Rates(None, None, 0)),
        ([job()], Rates(None, None, 0)),
        ([job(chunks=10, write_ms=20)], Rates(None, 0.002, 1)),
        (
            [
                job(chunks=10, embedded_tokens=1000, embed_ms=500, parse_ms=5, chunk_ms=5, sparse_ms=5, write_ms=5),
                job(chunks=30, embedded_tokens=3000, embed_ms=2300, write_ms=20),
                job(chunks=40, reused=40, embed_ms=100, write_ms=40),
            ],
            Rates(0.0007, 0.001, 3),
        ),
    ],
)
def test_rates_are_those_of_all_jobs_that_measured(jobs: list[Job], rates: Rates) -> None:
    found: dict[str, Any] = msgspec.structs.asdict(rates_of(jobs))
    assert found == pytest.approx(msgspec.structs.asdict(rates))


def test_what_several_builds_take_is_added_up_and_what_one_does_not_know_is_unknown() -> None:
    first = Estimate(10, 40, 10, 100, 1000, cached_percent=50.0, seconds=4.0, money=0.5, measured_jobs=3)
    second = Estimate(
        10, 40, 10, 300, 3000, cached_percent=10.0, seconds=8.0, measured_jobs=2, unknown={"money": "no price"}
    )
    assert in_total([first]) == first
    assert in_total([first, second]) == Estimate(
        20, 80, 20, 400, 4000, cached_percent=20.0, seconds=12.0, measured_jobs=2, unknown={"money": "no price"}
    )
