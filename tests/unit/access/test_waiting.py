"""Strangers of busy addresses wait."""

import asyncio

from vectis.access.waiting import PLACES, WAIT_S, WaitingRoom


async def test_only_strangers_of_busy_addresses_wait() -> None:
    room, loop = WaitingRoom(), asyncio.get_running_loop()
    assert not await room.wait("192.0.2.1")
    room.note("192.0.2.1")
    began = loop.time()
    assert await room.wait("192.0.2.1")
    assert loop.time() - began >= WAIT_S - 0.01
    assert not await room.wait("192.0.2.2")


async def test_more_than_there_are_places_for_are_not_kept() -> None:
    room = WaitingRoom()
    room.note("192.0.2.1")
    waiting = [asyncio.create_task(room.wait("192.0.2.1")) for _ in range(PLACES + 3)]
    waited = await asyncio.gather(*waiting)
    assert (waited.count(True), waited.count(False)) == (PLACES, 3)


async def test_who_goes_away_gives_his_place_back() -> None:
    room = WaitingRoom()
    room.note("192.0.2.1")
    gone = [asyncio.create_task(room.wait("192.0.2.1")) for _ in range(PLACES)]
    await asyncio.sleep(0)
    for each in gone:
        each.cancel()
    await asyncio.wait(gone)
    assert await room.wait("192.0.2.1")
