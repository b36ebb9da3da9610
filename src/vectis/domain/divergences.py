"""Collections that could not follow every write they should have: known, so that nobody trusts them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vectis.domain.errors import Unavailable, VectisError
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.control import DivergenceStore


class Divergences:
    """Notes which follower missed a write."""

    def __init__(self, store: DivergenceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @asynccontextmanager
    async def noted(self, collection: str) -> AsyncGenerator[None]:
        """Write to a follower inside: when it refuses, that is kept and the write goes on without it.

        Unavailable is raised, as from any collection: the same write may succeed when it is repeated.
        """
        try:
            yield
        except Unavailable:
            raise
        except VectisError as error:
            await self._store.note_divergence(collection, f"{error.code}: {error.message}"[:500], self._clock.now())
