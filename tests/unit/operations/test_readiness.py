"""Readiness asks, with a deadline, and believes nothing else."""

import asyncio

from vectis.adapters.system.clock import SystemClock
from vectis.domain.errors import EmbedderUnavailable, StoreUnavailable
from vectis.operations.readiness import Probe, ReadinessService


async def fine() -> str:
    return "answers"


async def away() -> str:
    raise StoreUnavailable("no connection; start the database")


async def no_weights() -> str:
    raise EmbedderUnavailable("no weights")


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


def service(needed: dict[str, Probe], optional: dict[str, Probe]) -> ReadinessService:
    return ReadinessService(needed=needed, optional=optional, clock=SystemClock(), deadline_s=0.05)


async def test_all_answer() -> None:
    found = await service({"store": fine}, {"embedder": fine}).check()
    assert found.status == "healthy"
    assert found.findings["store"].ok


async def test_an_optional_part_only_degrades() -> None:
    found = await service({"store": fine}, {"embedder": no_weights}).check()
    assert found.status == "degraded"
    assert found.findings["embedder"].detail == "no weights"


async def test_a_needed_part_that_fails_or_hangs_is_unhealthy() -> None:
    found = await service({"store": away, "engine": hangs}, {}).check()
    assert found.status == "unhealthy"
    assert "start the database" in found.findings["store"].detail
    assert "0.05 s" in found.findings["engine"].detail
