"""The manual clock, and that the real one keeps the same promises."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.system.clock import SystemClock


def test_it_stands_still_until_told() -> None:
    clock = ManualClock(datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == clock.now() == datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert clock.monotonic() == 0
    clock.advance(90.5)
    assert clock.now() == datetime(2024, 1, 1, 10, 1, 30, 500_000, tzinfo=UTC)
    assert clock.monotonic() == 90.5


def test_it_never_goes_back() -> None:
    with pytest.raises(ValueError, match="back"):
        ManualClock().advance(-1)
    with pytest.raises(ValueError, match="time zone"):
        ManualClock(datetime(2024, 1, 1))


def test_both_clocks_speak_utc() -> None:
    for clock in (ManualClock(), SystemClock()):
        assert clock.now().utcoffset() == timedelta(0)
        assert clock.monotonic() <= clock.monotonic()
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(minutes=1)
