"""Marks by folder: everything in tests/faults is a fault test. What Hypothesis tries may take its time: machines are shared."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("vectis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("vectis")

FAULTS = Path(__file__).parent / "faults"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FAULTS):
            item.add_marker("faults")
