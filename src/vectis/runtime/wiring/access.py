"""Which adapters serve access control, and how an API process looks after it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import msgspec
import structlog

from vectis.access.audit import AuditTrail
from vectis.access.authentication import Authenticator
from vectis.access.keyring import Keyring
from vectis.access.logins import Logins
from vectis.access.service import AccessService
from vectis.adapters.argon2.passwords import Argon2Passwords
from vectis.adapters.jwt.tokens import JwtTokens
from vectis.adapters.prometheus.metrics import ProcessMetrics
from vectis.adapters.secrets.folder import FolderSecrets
from vectis.adapters.secrets.private_file import kept_secret
from vectis.adapters.sql.store import SqlStore
from vectis.adapters.system.clock import SystemClock
from vectis.domain.audit import SealKey
from vectis.domain.errors import InvalidSetting, VectisError
from vectis.runtime.local_token import read_local_token
from vectis.runtime.paths import FolderLayout
from vectis.runtime.settings import LOOPBACK, AccessSettings, AuditSettings, ServerSettings

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
