"""What is measured is kept for one collection; what cannot have been measured is not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace
from passes import reads, writes

from vectis.adapters.cached.directory import CachedDirectory
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.versions import MemoryVersions
from vectis.adapters.sql.store import open_store
from vectis.catalog.profiles import document_profile
from vectis.domain.collections import Collection
from vectis.domain.errors import CollectionNotFound, InvalidInput
from vectis.domain.gains import MeasuredGain
from vectis.domain.profiles import EmbeddingProfile
from vectis.domain.routes import RoutePlan, Target
from vectis.evaluation.service import EvaluationService

MEASURED = MeasuredGain("hyde", "default", "judged", 120, 0.03, -0.01, 0.07)
CLOCK = ManualClock()


@pytest.fixture
async def service() -> AsyncIterator[EvaluationService]:
    store = await open_store("sqlite:///:memory:")
    await store.add_collection(Collection("docs", document_profile(EmbeddingProfile("m", "1", 2, 64)), CLOCK.now()))
    await store.set_route("public", RoutePlan((Target("docs"),)))
    yield EvaluationService(store=store, directory=CachedDirectory(store, CLOCK, MemoryVersions()), clock=CLOCK)
    await store.close()


async def test_what_is_measured_under_an_alias_is_kept_with_its_collection(service: EvaluationService) -> None:
    kept = await service.keep(writes("public"), MEASURED)
    assert (kept.at, kept.difference) == (CLOCK.now(), 0.03)
    assert await service.gains(reads("docs")) == await service.gains(reads("public")) == [kept]
    with pytest.raises(CollectionNotFound):
        await service.keep(writes("absent"), MEASURED)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"against": "hyde"}, "against"),
        ({"dataset": ""}, "dataset"),
        ({"queries": 0}, "queries"),
        ({"low": 0.04}, "difference"),
        ({"high": 0.02}, "difference"),
        ({"high": 1.5}, "difference"),
        ({"difference": float("nan")}, "difference"),
    ],
)
async def test_what_cannot_have_been_measured_is_refused(
    service: EvaluationService, wrong: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await service.keep(writes("docs"), replace(MEASURED, **wrong))
    assert refused.value.fields["field"] == field
    assert await service.gains(reads("docs")) == []
