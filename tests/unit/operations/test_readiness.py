"""Readiness asks, with a deadline, and believes nothing else."""

import asyncio

from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.system.clock import SystemClock
from vectis.domain.access import ANYONE, Permission, authorize
from vectis.domain.errors import EmbedderUnavailable, StoreUnavailable
from vectis.operations.readiness import SHARED_S, Probe, ReadinessService, Surrounding


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
    return ReadinessService(needed=needed, optional=optional, surroundings={}, clock=SystemClock(), deadline_s=0.05)


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


async def test_one_look_serves_all_who_ask_at_a_time() -> None:
    asked: list[str] = []
    clock = ManualClock()

    async def counted() -> str:
        asked.append("store")
        return "answers"

    readiness = ReadinessService(needed={"store": counted}, optional={}, surroundings={}, clock=clock, deadline_s=5.0)
    found = await asyncio.gather(*(readiness.check() for _ in range(50)))
    assert {each.status for each in found} == {"healthy"}
    clock.advance(SHARED_S / 2)
    await readiness.check()
    assert len(asked) == 1
    clock.advance(SHARED_S)
    later = await readiness.check()
    assert len(asked) == 2
    assert later.at > found[0].at


async def test_an_examination_says_how_old_each_look_is() -> None:
    asked: list[str] = []
    clock = ManualClock()

    def counted(name: str) -> Probe:
        async def probe() -> str:
            asked.append(name)
            return "looked"

        return probe

    examined = ReadinessService(
        needed={"store": away},
        optional={"embedder": no_weights},
        surroundings={
            "costly": Surrounding(counted("costly"), 1.0, kept_s=60.0),
            "cheap": Surrounding(counted("cheap"), 1.0),
        },
        clock=clock,
        deadline_s=0.05,
    )
    by = authorize(ANYONE, Permission.VIEW_METRICS)
    first = await examined.examine(by)
    clock.advance(7.0)
    second = await examined.examine(by)
    assert {name: evidence.state for name, evidence in first.items()} == {
        "store": "failed", "embedder": "warning", "costly": "ok", "cheap": "ok",
    }  # fmt: skip
    assert sorted(asked) == ["cheap", "cheap", "costly"]
    assert second["costly"].at == first["costly"].at
    assert second["costly"].age_s == 7.0
    assert second["cheap"].age_s == 0
