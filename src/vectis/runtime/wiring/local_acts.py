"""What a command does on a data folder itself, with or without a server, and keeps in its audit."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from vectis import __version__
from vectis.access.authentication import LOCAL
from vectis.access.service import RotatedKey
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.system.clock import SystemClock
from vectis.domain.access import SYSTEM, Permission, authorize
from vectis.domain.audit import Act, Decision
from vectis.domain.errors import InvalidSetting, VectisError
from vectis.runtime.local_account import local_account
from vectis.runtime.local_token import make_local_token
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import Settings
from vectis.runtime.wiring.access import Access, audit_key, make_access, open_audit
from vectis.runtime.wiring.store import open_control_store


class LocalAct(msgspec.Struct):
    """What became of an act of a command on the data folder itself; `failure` is why it was not done after all."""

    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    failure: str = ""


@asynccontextmanager
async def local_act(settings: Settings, action: str, *, begins: bool = False) -> AsyncGenerator[LocalAct]:
    """Keep what a command does on a data folder in its audit: before the block runs, and what became of it after.

    Nothing is kept while access control is off, unless the act `begins` it. Raises what opening the store raises.
    """
    async with AsyncExitStack() as stack:
        paths, clock = FolderLayout(Path(settings.server.data_dir)), SystemClock()
        store = await open_control_store(settings, paths)
        stack.push_async_callback(store.close)
        done = LocalAct()
        if not begins and await store.access_state() is None:
            yield done
            return
        trail = open_audit(stack, await audit_key(settings.audit, paths), store, clock, ProcessMetrics(__version__))
        if not await trail.fits():
            raise InvalidSetting(
                "audit.key: not the one that the audit is sealed with; give that of the servers", key="audit.key"
            )
        act = Act(
            clock.now(), f"{LOCAL.name}:{local_account()}", action, Decision.ALLOWED, credential="local", surface="cli"
        )
        await trail.record(act)
        try:
            yield done
        except VectisError as error:
            done.failure = f"{error.code}: {error.message}"
            raise
        finally:
            decision = Decision.FAILED if done.failure else Decision.DONE
            became = {"decision": decision, "reason": done.failure, "before": done.before, "after": done.after}
            await trail.record(msgspec.structs.replace(act, at=clock.now(), **became))


async def init_access(settings: Settings) -> str:
    """Turn access control on for a data folder; gives the admin's key. Conflict when it is on. The server may run or not."""
    async with AsyncExitStack() as stack:
        access = await _of_folder(stack, settings)
        await stack.enter_async_context(local_act(settings, "init", begins=True))
        return await access.service.begin(authorize(SYSTEM, Permission.MANAGE_USERS))


async def rotate_all_keys(settings: Settings) -> list[RotatedKey]:
    """The emergency, on a data folder: also when no key is left and no server runs. Conflict when access control is off."""
    async with AsyncExitStack() as stack:
        access = await _of_folder(stack, settings)
        act = await stack.enter_async_context(local_act(settings, "rotate_all_keys"))
        make_local_token(Path(settings.server.data_dir), renew=True)
        rotated = await access.service.rotate_all(authorize(SYSTEM, Permission.MANAGE_USERS))
        act.after = {"principals": [each.principal.name for each in rotated]}
        return rotated


async def _of_folder(stack: AsyncExitStack, settings: Settings) -> Access:
    paths = FolderLayout(Path(settings.server.data_dir))
    paths.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = await open_control_store(settings, paths)
    stack.push_async_callback(store.close)
    return make_access(settings.access, paths, store, SystemClock(), ProcessMetrics(__version__))
