"""What days cost, in every control store: a bound that holds for all who spend at once, also when one of them is killed."""

import asyncio
import sys
from datetime import date
from uuid import uuid4

from vectis.adapters.sql.store import SqlStore, open_store

SPENDER = """
import asyncio, sys
from datetime import date
from vectis.adapters.sql.store import open_store

async def main(url: str, day: str) -> None:
    store = await open_store(url)
    print("spending", flush=True)
    while await store.spend(date.fromisoformat(day), 1.0, most=200.0):
        print(flush=True)
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""
"""A process that spends all that is left, and writes a line after each time."""


def any_day() -> date:
    """One that no other test uses."""
    return date.fromordinal(1 + uuid4().int % (date.max.toordinal() - 1))


async def test_a_day_costs_what_was_spent_and_not_given_back(store: SqlStore) -> None:
    day, other = any_day(), any_day()
    assert await store.spent(day) == 0
    await store.give_back(day, 1.0)
    assert await store.spent(day) == 0
    assert await store.spend(day, 3.0, most=10.0)
    assert await store.spend(day, 7.0, most=10.0)
    assert not await store.spend(day, 0.5, most=10.0)
    await store.give_back(day, 0.5)
    assert await store.spend(day, 0.5, most=10.0)
    await store.give_back(day, -2.5)
    assert (await store.spent(day), await store.spent(other)) == (12.5, 0)
    assert not await store.spend(other, 10.5, most=10.0)
    assert await store.spent(other) == 0


async def test_those_who_spend_at_once_keep_the_bound_together(store: SqlStore, store_url: str) -> None:
    day, beside = any_day(), await open_store(store_url)
    granted = await asyncio.gather(*(one.spend(day, 1.0, most=25.0) for one in [store, beside] * 25))
    await beside.close()
    assert sum(granted) == 25
    assert await store.spent(day) == 25


async def test_processes_keep_the_bound_together_when_one_is_killed(store: SqlStore, store_url: str) -> None:
    day = any_day()
    command = (sys.executable, "-c", SPENDER, store_url, day.isoformat())
    first, second = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(2)]
    assert first.stdout is not None
    for _ in range(20):
        assert await first.stdout.readline()
    first.kill()
    (said_first, _), (said_second, _) = await asyncio.gather(first.communicate(), second.communicate())
    spent = 19 + len(said_first.splitlines()) + len(said_second.splitlines()) - 1
    assert second.returncode == 0
    assert await store.spent(day) == 200
    assert 199 <= spent <= 200, "the killed one may have spent once without having said so"
