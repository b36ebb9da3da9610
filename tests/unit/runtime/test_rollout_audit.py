"""What the audit keeps of rollouts that move on by themselves, over a real control store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rollout_world import canary_of

from vectis.access.audit import AuditTrail
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.system.clock import SystemClock
from vectis.domain.audit import AuditEntry, SealKey
from vectis.domain.errors import Conflict, Unavailable
from vectis.domain.ports.audit import AuditQuestion
from vectis.rollouts.witness import Witness
from vectis.runtime.configuration.loading import load
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import Settings
from vectis.runtime.wiring.local_acts import init_access
from vectis.runtime.wiring.rollouts import RolloutAudit
from vectis.runtime.wiring.store import open_control_store

ROLLOUT = canary_of()
OF_SERVERS = "a key that all servers have"
KEY, OTHER = SealKey(OF_SERVERS.encode()), SealKey(b"of somebody else")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(None, {"server.data_dir": str(tmp_path / "data"), "audit.key": OF_SERVERS}, {}).settings


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqlStore]:
    paths = FolderLayout(Path(settings.server.data_dir))
    paths.folder.mkdir()
    store = await open_control_store(settings, paths)
    yield store
    await store.close()


def audit(store: SqlStore, key: SealKey) -> RolloutAudit:
    return RolloutAudit(AuditTrail(store, key, SystemClock()), store)


async def entries(store: SqlStore) -> list[AuditEntry]:
    return (await store.find_audit(AuditQuestion(actor="reconciler"), limit=10))[::-1]


async def move(witness: Witness, *, fails: bool = False) -> None:
    async with witness.doing("move_rollout", "rollout r1", ROLLOUT, before={"stage": 0}, after={"stage": 1}):
        if fails:
            raise Conflict("it has moved on")


async def test_an_act_is_kept_before_it_is_done_and_after(settings: Settings, store: SqlStore) -> None:
    await init_access(settings)
    witness = Witness(audit(store, KEY), SystemClock())
    await move(witness)
    with pytest.raises(Conflict):
        await move(witness, fails=True)
    kept = [entry.act for entry in await entries(store)]
    assert [(act.actor, act.resource, act.decision.value) for act in kept] == [
        ("reconciler", "rollout r1", decision) for decision in ("allowed", "done", "allowed", "failed")
    ]
    assert (kept[0].before, kept[1].before, kept[1].after) == (None, {"stage": 0}, {"stage": 1})
    assert kept[3].reason == "rollout r1: conflict: it has moved on"


async def test_nothing_is_kept_before_access_control_is_on(store: SqlStore) -> None:
    witness = Witness(audit(store, KEY), SystemClock())
    await witness.check()
    await move(witness)
    assert await entries(store) == []


async def test_a_worker_with_another_key_does_not_move_rollouts(settings: Settings, store: SqlStore) -> None:
    await init_access(settings)
    await Witness(audit(store, KEY), SystemClock()).check()
    with pytest.raises(Unavailable, match=r"audit\.key"):
        await Witness(audit(store, OTHER), SystemClock()).check()
