"""Where strangers of an address that asked too often wait for their answers.

Who is a stranger is said by authentication, how often is too often by admission.
"""

import asyncio
from collections import OrderedDict

WAIT_S = 0.25
PLACES = 2000
"""So many wait at a time at most, since each keeps its request in memory; others are answered at once."""

BUSY_S = 10.0
"""For so long an address counts as busy after it asked too often."""

ADDRESSES_MAX = 10_000


class WaitingRoom:
    """All who wait are let go together, four times a second.

    On one connection nobody can ask again before he is answered. So a flood of guesses costs no more than it has connections,
    and the control store is asked once for all who come out together.
    """

    def __init__(self) -> None:
        self._busy_until: OrderedDict[str, float] = OrderedDict()
        self._door: asyncio.Future[None] | None = None
        self._waiting = 0

    def note(self, address: str) -> None:
        """A stranger of this address asked too often."""
        self._busy_until[address] = asyncio.get_running_loop().time() + BUSY_S
        self._busy_until.move_to_end(address)
        if len(self._busy_until) > ADDRESSES_MAX:
            self._busy_until.popitem(last=False)

    async def wait(self, address: str) -> bool:
        """Wait until the next opening of the door when the address is busy and a place is free; whether it was."""
        loop = asyncio.get_running_loop()
        if self._busy_until.get(address, 0.0) <= loop.time() or self._waiting >= PLACES:
            return False
        if self._door is None:
            self._door = loop.create_future()
            loop.call_later(WAIT_S, self._open)
        self._waiting += 1
        try:
            await asyncio.shield(self._door)
        finally:
            self._waiting -= 1
        return True

    def _open(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            door.set_result(None)
