"""What is asked of each part of an API process, for its health and for an examination. Judging the answers is readiness's."""

from collections.abc import Mapping

from vectis.domain.embedders import Embedders
from vectis.domain.errors import EngineUnavailable, InvalidSetting
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import ControlStore
from vectis.domain.ports.engine import Engine
from vectis.jobs.health import in_words
from vectis.operations.readiness import Probe, ReadinessService, Surrounding
from vectis.runtime.configuration.link import SupervisorLink

HEALTH_DEADLINE_S = 2.0
EXAMINE_DEADLINE_S = 10.0
EMBEDDING_KEPT_S = 60.0
"""An endpoint asks money for each embedding, so one look is good for a minute."""


def readiness(
    store: ControlStore,
    engine: Engine,
    embedders: Embedders,
    clock: Clock,
    *,
    machine: Mapping[str, Probe],
    link: SupervisorLink,
) -> ReadinessService:
    """The looks at the parts; `machine` are those at what the process runs on."""

    async def store_answers() -> str:
        await store.ping()
        return "the control store answers"

    async def engine_answers() -> str:
        await engine.troubles()  # what it says of itself is upkeep's: it answers and can serve its collections
        return engine.features.name

    async def upkeep() -> str:
        if found := await engine.troubles():
            raise EngineUnavailable("; ".join(found))
        return "builds and writes go well"

    async def embedder_there() -> str:
        return (await embedders.of(embedders.usual)).profile.model

    async def embedding() -> str:
        embedder = await embedders.of(embedders.usual)
        return f"{embedder.profile.model} gave {len(await embedder.embed_query('ready'))} numbers"

    async def jobs() -> str:
        return in_words(await store.job_stats(clock.now()))

    looks = {"settings": lambda: _settings(link), **machine}
    return ReadinessService(
        needed={"store": store_answers, "engine": engine_answers},
        optional={"embedder": embedder_there, "upkeep": upkeep, "jobs": jobs},
        surroundings={
            "embedding": Surrounding(embedding, EXAMINE_DEADLINE_S, kept_s=EMBEDDING_KEPT_S),
            **{name: Surrounding(probe, EXAMINE_DEADLINE_S) for name, probe in looks.items()},
        },
        clock=clock,
        deadline_s=HEALTH_DEADLINE_S,
    )


async def _settings(link: SupervisorLink) -> str:
    found = await link.validity()
    if found.objections:
        raise InvalidSetting("the next start would fail: " + "; ".join(map(str, found.objections)))
    return ", ".join([f"{len(found.waiting)} wait for a restart" if found.waiting else "as they run", *found.warnings])
