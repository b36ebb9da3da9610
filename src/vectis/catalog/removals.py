"""How a deleted collection goes for good: not while anything needs it, and by one process at a time."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from vectis.domain.collections import Deletion
from vectis.domain.errors import Conflict, Unavailable
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import CollectionStore, JobLedger
from vectis.domain.ports.engine import CollectionAdmin

REMOVAL_TIME = timedelta(minutes=1)
"""How long a removal may take before another process takes it over."""

NeededBy = Callable[[str], Awaitable[str | None]]
"""Says why a collection is needed, None when it is not: asked when it is deleted, and again before it is removed."""


class RemovalStore(CollectionStore, JobLedger, Protocol):
    """The parts of the control store that know of deleted collections and the jobs that wait to remove them."""


class Removals:
    """Removes collections that are hidden already."""

    def __init__(
        self, *, store: RemovalStore, admin: CollectionAdmin, clock: Clock, keepers: Sequence[NeededBy]
    ) -> None:
        self._store = store
        self._admin = admin
        self._clock = clock
        self._keepers = keepers

    async def require_unneeded(self, name: str) -> None:
        """Raise Conflict, with the reason, while anything needs the collection."""
        for needed_by in self._keepers:
            if reason := await needed_by(name):
                raise Conflict(f"collection {name!r} cannot go: {reason}", name=name)

    async def free(self, name: str) -> None:
        """End the grace of a deleted collection for a fresh one of its name, or an alias. Raises Conflict, Unavailable."""
        kept = await self._store.collection(name)
        if kept is not None and kept.deletion is not None:
            await self.require_unneeded(name)
            await self.now(name, kept.deletion)

    async def now(self, name: str, deletion: Deletion) -> None:
        """Remove without waiting for the job that would. Raises Unavailable while another process removes it."""
        await self.remove(name, deletion)
        await self._store.cancel_job(deletion.job_id, self._clock.now())

    async def remove(self, name: str, deletion: Deletion) -> None:
        """The name is free only when nothing of the collection is left, so that no fresh one can find any of it.

        Raises Unavailable while another process removes it.
        """
        now = self._clock.now()
        if not await self._store.take_removal(name, deletion.job_id, now=now, until=now + REMOVAL_TIME):
            raise Unavailable(f"collection {name!r} is being removed just now; repeat", retry_after_s=1.0)
        await self._admin.drop(name)
        await self._store.remove_collection(name)
