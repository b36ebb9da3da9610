"""What a request meets before and around its operation: who calls, from where, how often; and what the audit keeps of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.types import Scope

from vectis.access.waiting import WaitingRoom
from vectis.domain.access import ANYONE, NOBODY, Caller, Permission, authorize
from vectis.domain.audit import Act, Decision
from vectis.domain.errors import AddressNotAllowed, Forbidden, RateLimited, Unauthenticated, VectisError
from vectis.entrypoints.rest.credentials import credential_of
from vectis.entrypoints.rest.origin import ONLY_TLS, PROTECTING, origin, rate_headers
from vectis.runtime.services import Services

SURFACE = "rest"

UNRECORDED = (None, Permission.READ_COLLECTIONS, Permission.VIEW_METRICS)
"""Permissions whose use is no act: the audit keeps only that they were refused."""

_NAMING = ("name", "alias", "principal", "collection", "key", "id")
"""Fields of a body that say what an act is about, where the path does not."""


class Amendment(msgspec.Struct, frozen=True):
    """How something was and how it is now, as plain JSON values without secrets; None: it was or is not there."""

    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Reception:
    """Lets requests in or turns them away. The audit begins with access control: before, nobody is known."""

    def __init__(self, services: Services) -> None:
        self._authenticate = services.authenticate
        self._admission = services.admission
        self._audit = services.audit
        self._waiting_room = WaitingRoom()

    def meet(self, scope: Scope) -> None:
        """Find out where a request comes from, for all that follows."""
        came = origin(scope, self._admission)
        scope["vectis.origin"] = came
        scope["vectis.headers"] = [*PROTECTING, ONLY_TLS] if came.secure else [*PROTECTING]

    def check_address(self, scope: Scope) -> None:
        """Raise AddressNotAllowed, and keep that, when the client's address may not use the server at all."""
        try:
            self._admission.check_address(scope["vectis.origin"].address)
        except AddressNotAllowed as error:
            self.ended_with(error, scope, "connect", None)
            raise

    def begin(self) -> None:
        """Take a place among the requests at work; `end` gives it back. Raises Overloaded."""
        self._admission.enter()

    def end(self) -> None:
        """Give the place back."""
        self._admission.leave()

    async def caller(self, scope: Scope, permission: Permission | None, *, vector_api: bool) -> Caller:
        """Who calls, counted and refused before the body is read when no role of theirs has the permission at all.

        Raises Unauthenticated, Forbidden, RateLimited.
        """
        address: str = scope["vectis.origin"].address
        if permission is None:
            await self._count(scope, address, None, vector_api=vector_api)
            return NOBODY
        try:
            caller = self._authenticate(credential_of(scope), address)
            if not isinstance(caller, Caller):  # it has to be looked up
                await self._wait(scope)
                caller = await caller
        except (Unauthenticated, Forbidden):
            await self._count(scope, address, None, vector_api=vector_api)
            raise
        scope["vectis.caller"] = caller
        await self._count(scope, address, caller, vector_api=vector_api)
        authorize(caller, permission)
        return caller

    async def record(self, scope: Scope, action: str, permission: Permission | None, body: Any) -> None:
        """Keep that something is about to be done; durable on return, so that nothing is done unrecorded."""
        if permission not in UNRECORDED and scope["vectis.caller"] is not ANYONE:
            await self._audit.record(_act(scope, action, Decision.ALLOWED, body))

    async def done(self, scope: Scope, action: str, body: Any, change: Amendment) -> None:
        """Keep what was changed; durable on return."""
        if scope["vectis.caller"] is not ANYONE:
            act = _act(scope, action, Decision.DONE, body)
            await self._audit.record(msgspec.structs.replace(act, before=change.before, after=change.after))

    def ended_with(self, error: VectisError, scope: Scope, action: str, permission: Permission | None) -> None:
        """Keep that someone was turned away, or that what someone was about to do failed."""
        if isinstance(error, (Unauthenticated, Forbidden)):
            decision = Decision.REFUSED
        elif permission not in UNRECORDED and scope["vectis.caller"] not in (ANYONE, NOBODY):
            decision = Decision.FAILED
        else:
            return
        self._audit.keep_soon(_act(scope, action, decision, None, f"{error.code}: {error.message}"))

    async def _wait(self, scope: Scope) -> None:
        """Let a stranger of a busy address wait, once in a request and without a place at work."""
        if "vectis.waited" not in scope:
            with self._admission.aside():
                scope["vectis.waited"] = await self._waiting_room.wait(scope["vectis.origin"].address)

    async def _count(self, scope: Scope, address: str, caller: Caller | None, *, vector_api: bool) -> None:
        counted = await self._admission.count(address, caller, vector_api=vector_api)
        if counted:
            scope["vectis.headers"] += rate_headers(counted)
            try:
                self._admission.check(counted)
            except RateLimited:
                if caller is None:
                    self._waiting_room.note(address)
                    await self._wait(scope)
                raise


def _act(scope: Scope, action: str, decision: Decision, body: Any, reason: str = "") -> Act:
    caller: Caller = scope["vectis.caller"]
    return Act(
        at=datetime.now(UTC),
        actor=caller.name,
        action=action,
        decision=decision,
        resource=_resource(scope.get("path_params", {}), body),
        reason=reason[:500],
        tenant=caller.tenant,
        credential=caller.credential,
        surface=SURFACE,
        address=scope["vectis.origin"].address,
        request_id=scope["vectis.request_id"],
    )


def _resource(path: Mapping[str, str], body: Any) -> str:
    """`collection docs`, `key 1a2b`: what the path names, else what the body does."""
    named = dict(path) or {field: str(value) for field in _NAMING if (value := getattr(body, field, None))}
    return " ".join(f"{field} {value[:200]}" for field, value in named.items())
