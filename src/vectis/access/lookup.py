"""Looking credentials up in the store: one read at a time for all that wait, and no more than so many that wait."""

import asyncio

import msgspec

from vectis.domain.errors import Unavailable, VectisError
from vectis.domain.ports.access import CredentialStore, StoredKey
from vectis.domain.principals import Principal, Role, Session

BATCH = 500
WAITING_MAX = 5000


class LookedUp(msgspec.Struct, frozen=True):
    """A key or a session, with its principal and all own roles."""

    credential: StoredKey | Session
    principal: Principal
    roles: dict[str, Role]


class Lookup:
    """However many unknown credentials come in, the store sees one small read after the other."""

    def __init__(self, store: CredentialStore) -> None:
        self._store = store
        self._waiting: dict[tuple[bool, str], asyncio.Future[LookedUp | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> LookedUp | None:
        """The key with this id. Raises Unavailable when too many wait, StoreUnavailable."""
        return await self._find(True, key_id)

    async def session(self, session_id: str) -> LookedUp | None:
        """The session with this id. Raises Unavailable when too many wait, StoreUnavailable."""
        return await self._find(False, session_id)

    async def _find(self, is_key: bool, credential_id: str) -> LookedUp | None:
        waiting = self._waiting.get((is_key, credential_id))
        if waiting is None:
            if len(self._waiting) >= WAITING_MAX:
                raise Unavailable("too many unknown credentials at once; try again")
            waiting = self._waiting[is_key, credential_id] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_all())
        return await asyncio.shield(waiting)

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                some = {asked: self._waiting.pop(asked) for asked in list(self._waiting)[:BATCH]}
                try:
                    found = await self._read(list(some))
                    for asked, future in some.items():
                        future.set_result(found.get(asked))
                except VectisError as error:
                    for future in some.values():
                        future.set_exception(error)
                finally:
                    for future in some.values():
                        future.cancel()  # those that are done stay as they are; nobody waits for ever
        finally:
            self._reading = None

    async def _read(self, asked: list[tuple[bool, str]]) -> dict[tuple[bool, str], LookedUp]:
        seen = await self._store.find_credentials(
            [i for is_key, i in asked if is_key], [i for is_key, i in asked if not is_key]
        )
        roles = dict(seen.roles)
        keys = {(True, i): LookedUp(key, seen.principals[key.key.principal], roles) for i, key in seen.keys.items()}
        sessions = {(False, i): LookedUp(s, seen.principals[s.principal], roles) for i, s in seen.sessions.items()}
        return keys | sessions
