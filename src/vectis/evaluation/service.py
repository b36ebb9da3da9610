"""The use cases of evaluation: what modes gain is kept with the collection that it was measured on."""

import msgspec

from vectis.domain.access import CollectionPass, Permission
from vectis.domain.errors import InvalidInput
from vectis.domain.gains import Gain, MeasuredGain
from vectis.domain.ports.clock import Clock
from vectis.domain.ports.directory import Directory
from vectis.domain.ports.gains import GainStore

DATASET_MAX = 200


class EvaluationService:
    """Keeps what was measured."""

    def __init__(self, *, store: GainStore, directory: Directory, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock

    async def keep(self, by: CollectionPass, measured: MeasuredGain) -> Gain:
        """Keep what one mode gains over another; the former figure of the same two is gone.

        Raises InvalidInput, CollectionNotFound; Conflict when the name is an alias of several collections.
        """
        by.require(Permission.WRITE_COLLECTIONS)
        _check(measured)
        collection = await self._directory.resolve_one(by.collection)
        gain = Gain(**msgspec.structs.asdict(measured), at=self._clock.now(), author=by.caller.name)
        await self._store.put_gain(collection.name, gain)
        return gain

    async def gains(self, by: CollectionPass) -> list[Gain]:
        """What was measured last, by mode. Raises CollectionNotFound."""
        by.require(Permission.READ_COLLECTIONS)
        return await self._store.gains((await self._directory.resolve(by.collection)).collection.name)


def _check(measured: MeasuredGain) -> None:
    if measured.mode == measured.against:
        raise InvalidInput(f"against: {measured.mode} gains nothing over itself; name another mode", field="against")
    if not 1 <= len(measured.dataset) <= DATASET_MAX:
        raise InvalidInput(f"dataset: give 1 to {DATASET_MAX} characters", field="dataset")
    if measured.queries < 1:
        raise InvalidInput("queries: without any there is nothing to keep", field="queries")
    if not -1 <= measured.low <= measured.difference <= measured.high <= 1:
        raise InvalidInput(
            f"difference: {measured.difference:g} with an interval of {measured.low:g} to {measured.high:g}; it lies "
            "within its interval, and both within -1 to 1",
            field="difference",
        )
