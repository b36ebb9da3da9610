"""The shared tier over a real Valkey: kept, away, silent, babbling; never an error, and back by itself."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from valkey_process import Valkey, babbling, running_valkey

from vectis.adapters.redis.answers import RedisAnswers
from vectis.adapters.redis.link import FAULTS_IN_A_ROW, LinkBounds, RedisLink
from vectis.adapters.system.clock import SystemClock
from vectis.domain.errors import InvalidSetting

QUICK_S = 2.0
"""Far above the wait for an answer and far below a connection's: a question that hangs takes longer."""


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with running_valkey() as started:
        yield started


class Tier:
    """A tier with its link."""

    def __init__(self, url: str, namespace: str) -> None:
        self.link = RedisLink(url, LinkBounds(pool_min=2))
        self.answers = RedisAnswers(self.link, SystemClock(), namespace=namespace, ttl_s=60.0, write_after_s=0.02)

    async def open(self) -> None:
        await self.link.open()
        await self.answers.open()

    async def close(self) -> None:
        await self.answers.close()
        await self.link.close()

    async def until_connected(self) -> None:
        await until(lambda: self.link.counts()["connected"] == 1)

    async def until_kept(self, key: str, value: bytes) -> None:
        written = self.answers.counts()["written_total"]
        self.answers.put(key, value)
        await until(lambda: self.answers.counts()["written_total"] > written)


async def until(ask: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not ask():  # noqa: ASYNC110 - what is polled sets no event
            await asyncio.sleep(0.01)


async def asked(tier: Tier, times: int = 1) -> list[bytes | None]:
    """Ask, each time within the bound."""
    answers: list[bytes | None] = []
    for _ in range(times):
        began = monotonic()
        answers.append(await tier.answers.get("key"))
        assert monotonic() - began < QUICK_S
    return answers


@pytest.fixture
async def tier(valkey: Valkey, request: pytest.FixtureRequest) -> AsyncIterator[Tier]:
    made = Tier(valkey.url, f"vectis:answer:{request.node.name}")
    await made.open()
    await made.until_connected()
    yield made
    await made.close()


async def test_what_one_process_keeps_another_finds(valkey: Valkey, tier: Tier, request: pytest.FixtureRequest) -> None:
    namespace = f"vectis:answer:{request.node.name}"
    value = b"an answer in some words " * 100
    assert await asked(tier) == [None]
    await tier.until_kept("key", value)
    other = Tier(valkey.url, namespace)
    await other.open()
    await other.until_connected()
    assert await asked(other) == [value]
    with valkey.client() as client:
        assert 0 < client.pttl(f"{namespace}:key") <= 60_000
    counts = tier.answers.counts()
    assert counts["compression_ratio"] > 10
    assert other.answers.counts()["hit_ratio"] == 1
    await other.close()


async def test_connections_are_kept_ready(valkey: Valkey, tier: Tier) -> None:
    with valkey.client() as client:
        assert len(client.client_list()) >= 2 + 1


async def test_what_waits_is_written_at_the_end(valkey: Valkey) -> None:
    first, second = Tier(valkey.url, "vectis:answer:end"), Tier(valkey.url, "vectis:answer:end")
    for each in (first, second):
        await each.open()
        await each.until_connected()
    first.answers.put("key", b"value")
    await first.close()
    assert await asked(second) == [b"value"]
    await second.close()


async def test_a_value_of_somebody_else_is_a_miss(valkey: Valkey, tier: Tier, request: pytest.FixtureRequest) -> None:
    with valkey.client() as client:
        client.set(f"vectis:answer:{request.node.name}:key", b"\x00garbage")
        assert await asked(tier) == [None]
        client.delete(f"vectis:answer:{request.node.name}:key")
        client.lpush(f"vectis:answer:{request.node.name}:key", "of another kind")
        assert await asked(tier) == [None]
    assert tier.answers.counts()["garbage_total"] == 1
    assert tier.link.counts()["faults_total"] == 1


async def test_killed_and_started_again(valkey: Valkey, tier: Tier) -> None:
    await tier.until_kept("key", b"value")
    valkey.kill()
    try:
        assert await asked(tier, 20) == [None] * 20
        assert tier.link.counts()["faults_total"] >= FAULTS_IN_A_ROW
        assert tier.link.counts()["skipped_total"] >= 20 - FAULTS_IN_A_ROW - 1
        tier.answers.put("key", b"dropped")
        await until(lambda: tier.answers.counts()["dropped_total"] == 1)
    finally:
        valkey.start()
    await tier.until_connected()
    await tier.until_kept("key", b"value again")
    assert await asked(tier) == [b"value again"]


async def test_stopped_and_continued(valkey: Valkey, tier: Tier) -> None:
    await tier.until_kept("key", b"value")
    valkey.process.send_signal(signal.SIGSTOP)
    try:
        began = monotonic()
        assert await asyncio.gather(*(tier.answers.get("key") for _ in range(200))) == [None] * 200
        assert monotonic() - began < QUICK_S
        assert tier.link.counts()["connected"] == 0
        assert await asked(tier, 3) == [None] * 3
    finally:
        valkey.process.send_signal(signal.SIGCONT)
    await tier.until_connected()
    assert await asked(tier) == [b"value"]


async def test_garbage_is_a_miss(tmp_path: Path) -> None:
    async with babbling(tmp_path / "socket"):
        tier = Tier(f"unix://{tmp_path}/socket", "vectis:answer")
        await tier.open()
        for _ in range(12):
            await tier.until_connected()
            assert set(await asked(tier, 2)) == {None}
            tier.answers.put("key", b"value")
        counts = {**tier.link.counts(), **tier.answers.counts()}
        assert counts["hits_total"] == 0
        assert counts["faults_total"] > 0 < counts["lost_total"]
        assert counts["garbage_total"] > 0
        await tier.close()


async def test_nobody_there_from_the_beginning(tmp_path: Path) -> None:
    tier = Tier(f"unix://{tmp_path}/none", "vectis:answer")
    await tier.open()
    assert await asked(tier, 5) == [None] * 5
    await until(lambda: tier.link.counts()["faults_total"] >= 1)
    await tier.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:6379", "127.0.0.1", "redis://127.0.0.1:port"])
def test_a_url_that_names_no_server(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"cache\.redis_url"):
        RedisLink(url, LinkBounds())
