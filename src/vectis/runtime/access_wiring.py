"""Which adapters serve access control, and how an API process looks after it. A part of wiring.py."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import structlog

from vectis import __version__
from vectis.access.audit import AuditTrail
from vectis.access.authentication import LOCAL, Authenticator
from vectis.access.keyring import Keyring
from vectis.access.logins import Logins
from vectis.access.service import AccessService, RotatedKey
from vectis.adapters.argon2.passwords import Argon2Passwords
from vectis.adapters.jwt.tokens import JwtTokens
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.secrets.folder import FolderSecrets
from vectis.adapters.secrets.private_file import kept_secret
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.system.clock import SystemClock
from vectis.domain.access import SYSTEM, Permission, authorize
from vectis.domain.audit import Act, Decision, SealKey
from vectis.domain.errors import InvalidSetting, VectisError
from vectis.runtime.local_account import local_account
from vectis.runtime.local_token import make_local_token, read_local_token
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import LOOPBACK, AccessSettings, AuditSettings, ServerSettings, Settings
from vectis.runtime.store_wiring import open_control_store

log = structlog.stdlib.get_logger("vectis.access")


class Access(msgspec.Struct, frozen=True):
    """Access control over one store."""

    service: AccessService
    logins: Logins
    authenticator: Authenticator


async def look_after_access(stack: AsyncExitStack, server: ServerSettings, authenticator: Authenticator) -> None:
    """Look whether access control is on, and go on looking until the stack is left.

    Raises InvalidSetting when it is off although the server listens where others reach it.
    """
    await authenticator.look()
    if not authenticator.is_on and not server.uds and server.host not in LOOPBACK:
        raise InvalidSetting(
            f"server.host: {server.host} is not a loopback address, which needs access control: "
            f"`vectis init --data-dir {server.data_dir}` turns it on",
            key="server.host",
        )
    watching = asyncio.create_task(
        authenticator.watch(lambda error: log.warning("access_not_seen", code=error.code, detail=error.message))
    )
    stack.push_async_callback(_end, authenticator, watching)


async def audit_key(settings: AuditSettings, paths: FolderLayout) -> bytes:
    """What seals the audit: the same for all servers of one store, and known to nobody else."""
    return settings.key.reveal().encode() or await asyncio.to_thread(kept_secret, paths.audit_key, setting="audit.key")


def open_audit(
    stack: AsyncExitStack, key: bytes, store: SqlStore, clock: SystemClock, metrics: ProcessMetrics
) -> AuditTrail:
    """The audit, which writes what waits before `stack` closes the store."""
    trail = AuditTrail(store, SealKey(key), clock)
    stack.push_async_callback(trail.close)
    metrics.export_counts("vectis_audit", "The audit", lambda: {"lost_total": trail.lost})
    return trail


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
    paths.folder.mkdir(parents=True, exist_ok=True)
    store = await open_control_store(settings, paths)
    stack.push_async_callback(store.close)
    return make_access(settings.access, paths, store, SystemClock(), ProcessMetrics(__version__))


async def _end(authenticator: Authenticator, watching: asyncio.Task[None]) -> None:
    watching.cancel()
    try:
        await authenticator.note_use()
    except VectisError as error:
        log.warning("key_use_not_noted", code=error.code, detail=error.message)


def make_access(
    settings: AccessSettings, paths: FolderLayout, store: SqlStore, clock: SystemClock, metrics: ProcessMetrics
) -> Access:
    """Access control over one store. Nobody is known before the first look."""
    secrets = FolderSecrets(
        paths.access_secret, key_secret=settings.key_secret.reveal(), token_secret=settings.token_secret.reveal()
    )
    keyring, passwords, tokens = Keyring(store, secrets), Argon2Passwords(), JwtTokens()
    token_life = timedelta(minutes=settings.token_minutes)
    authenticator = Authenticator(
        store,
        keyring,
        tokens,
        clock,
        local_token=lambda: read_local_token(paths.folder),
        on_refused=lambda refusal: metrics.count_refusal(refusal.reason),
    )
    return Access(
        service=AccessService(
            store,
            keyring,
            secrets,
            passwords,
            clock,
            key_environment=settings.key_environment,
            token_life=token_life,
            on_change=authenticator.look,
        ),
        logins=Logins(
            store,
            keyring,
            tokens,
            passwords,
            clock,
            token_life=token_life,
            session_life=timedelta(days=settings.session_days),
            on_change=authenticator.look,
        ),
        authenticator=authenticator,
    )
