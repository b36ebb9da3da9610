"""The answer cache: exact, one computation at a time, refreshed before expiry, warmed; with a tier and without."""

import asyncio
from datetime import UTC, datetime

import pytest

from vectis.adapters.cached.answers import CachedAnswers
from vectis.adapters.memory.clock import ManualClock
from vectis.adapters.memory.versions import MemoryVersions
from vectis.catalog.profiles import vectors_profile
from vectis.domain.collections import Collection
from vectis.domain.errors import EngineUnavailable
from vectis.domain.measurements import Measurement
from vectis.domain.ports.answers import KeptAnswer, Question, Served
from vectis.domain.ports.directory import UNROUTED, Resolved
from vectis.domain.routes import Route, RoutePlan, Routing, Target

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TTL_S = 100.0
TOOK_S = 10.0


class OneCollection:
    """A directory in which every name is a collection, unless there is a route, which every name has then."""

    route: Route | None = None

    async def resolve(self, name: str, routing: Routing = UNROUTED) -> Resolved:
        return Resolved(Collection(name, vectors_profile(), NOW), "stable", self.route)


class Counted:
    """Measurements, counted."""

    def __init__(self) -> None:
        self.count = 0

    def append(self, measurement: Measurement) -> None:
        self.count += 1


class Shelf:
    """A tier in memory."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.values[key] = value


class Work:
    """Computations: how many, and a gate that holds them."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.count = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.may_be_kept = True

    async def __call__(self, routing: Routing) -> tuple[KeptAnswer, bool]:
        self.count += 1
        number = self.count
        await self.gate.wait()
        made_at = self.clock.now().timestamp()
        return KeptAnswer(str(number).encode(), "text", made_at, TOOK_S, "vector", 1), self.may_be_kept


class World:
    """A process: a cache, and what it stands on."""

    def __init__(self, tier: Shelf | None = None, versions: MemoryVersions | None = None) -> None:
        self.clock, self.versions, self.log = ManualClock(NOW), versions or MemoryVersions(), Counted()
        self.work = Work(self.clock)
        self.directory = OneCollection()
        self.cache = CachedAnswers(
            self.directory,
            self.versions,
            self.clock,
            self.log,
            tier,
            bytes_max=100_000,
            ttl_s=TTL_S,
            look_every_s=3600,
        )

    async def ask(self, content: bytes = b"question", name: str = "books", routing: Routing = UNROUTED) -> Served:
        return await self.cache.answer(Question("form", "", b"", content), name, name, routing, self.work)

    async def settle(self) -> None:
        """Let what was begun in the background end."""
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_kept_answer_stands_until_something_was_written(world: World) -> None:
    assert [(await world.ask()).kept for _ in range(3)] == [False, True, True]
    world.versions.written("films")
    assert (await world.ask()).kept
    world.versions.written("books")
    assert (await world.ask()).answer.body == b"2"
    world.versions.directory_changed()
    assert (await world.ask()).answer.body == b"3"
    assert world.cache.counts()["stale_total"] == 2
    assert world.log.count == 3, "hits are measured here, computed answers by whoever computes"


async def test_an_answer_computed_while_something_is_written_is_not_served_after_it(world: World) -> None:
    world.work.gate.clear()
    early = asyncio.create_task(world.ask())
    await world.settle()
    world.versions.written("books")
    late = asyncio.create_task(world.ask())
    await world.settle()
    world.work.gate.set()
    assert [(await each).answer.body for each in (early, late)] == [b"1", b"2"]
    assert (await world.ask()).answer.body == b"2"


async def test_of_many_who_ask_at_once_one_computes(world: World) -> None:
    world.work.gate.clear()
    asking = [asyncio.create_task(world.ask()) for _ in range(50)]
    await world.settle()
    asking[0].cancel()
    world.work.gate.set()
    served = await asyncio.gather(*asking[1:])
    assert world.work.count == 1
    assert {each.answer.body for each in served} == {b"1"}
    assert world.cache.counts()["joined_total"] == 49


async def test_errors_and_answers_that_may_not_be_kept_are_not(world: World) -> None:
    async def fail(routing: Routing) -> tuple[KeptAnswer, bool]:
        raise EngineUnavailable("away")

    asked = Question("form", "", b"", b"question")
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await world.cache.answer(asked, "books", "books", UNROUTED, fail)
    world.work.may_be_kept = False
    assert [(await world.ask()).kept for _ in range(2)] == [False, False]
    world.work.may_be_kept = True
    assert [(await world.ask()).kept for _ in range(2)] == [False, True]


async def test_it_is_computed_anew_before_it_expires(world: World) -> None:
    """XFetch: never long before, ever more often near the end, in the background, and not by the asker."""
    await world.ask()
    world.clock.advance(TTL_S - 8 * TOOK_S)
    for _ in range(20):
        assert (await world.ask()).kept
    assert world.work.count == 1
    world.clock.advance(8 * TOOK_S - 0.1)
    served = [await world.ask() for _ in range(20)]
    assert all(each.kept for each in served)
    await world.settle()
    assert world.work.count == 2
    assert world.cache.counts()["refreshed_total"] >= 1
    world.clock.advance(1.0)
    assert (await world.ask()).answer.body == b"2"


async def test_the_share_that_refreshes_grows_as_expiry_comes_near() -> None:
    shares: list[float] = []
    for left_s in (3 * TOOK_S, TOOK_S, TOOK_S / 4):
        world = World()
        await world.ask()
        world.clock.advance(TTL_S - left_s)
        world.work.gate.clear()
        for _ in range(200):
            assert (await world.ask()).kept
        shares.append(world.cache.counts()["refreshed_total"] / 200)
        world.work.gate.set()
        await world.settle()
    assert shares == pytest.approx([0.0498, 0.3679, 0.7788], abs=0.02), "exp(-left / took)"


async def test_an_expired_answer_is_computed(world: World) -> None:
    await world.ask()
    world.clock.advance(TTL_S + 0.1)
    assert not (await world.ask()).kept


async def test_warm_up_begins_with_the_most_frequent(world: World) -> None:
    for content, times in ((b"rare", 1), (b"often", 5), (b"now and then", 3)):
        for _ in range(times):
            await world.ask(content)
    world.versions.written("books")
    assert await world.cache.warm(2) == 2
    before = world.work.count
    assert (await world.ask(b"often")).kept
    assert (await world.ask(b"now and then")).kept
    assert not (await world.ask(b"rare")).kept
    assert world.work.count == before + 1
    assert await world.cache.warm(3) == 0, "what is answered already is not computed again"


async def test_warm_up_passes_over_what_fails(world: World) -> None:
    async def fail(routing: Routing) -> tuple[KeptAnswer, bool]:
        if broken:
            raise EngineUnavailable("away")
        return KeptAnswer(b"well", "text", 0.0, 0.1, "vector", 1), True

    broken = False
    await world.cache.answer(Question("form", "", b"", b"breaks"), "books", "books", UNROUTED, fail)
    await world.ask()
    world.versions.written("books")
    broken = True
    assert await world.cache.warm(10) == 1


async def test_mixed_answers_are_never_kept_nor_answered_by_kept_ones(world: World) -> None:
    plan = RoutePlan((Target("a", "stable", 50), Target("b", "candidate", 50)), interleave_percent=100)
    world.directory.route = Route("books", plan)
    mixed = Routing("ada", sticky=True)
    asked = [await world.ask(routing=routing) for routing in (mixed, UNROUTED, UNROUTED, mixed)]
    assert [(each.answer.body, each.kept) for each in asked] == [
        (b"1", False), (b"2", False), (b"2", True), (b"3", False),
    ]  # fmt: skip


async def test_another_process_finds_it_in_the_tier() -> None:
    tier, versions = Shelf(), MemoryVersions()
    one, other = World(tier, versions), World(tier, versions)
    await one.ask()
    assert (await other.ask()).answer.body == b"1"
    assert other.work.count == 0
    assert other.cache.counts()["tier_hits_total"] == 1
    versions.written("books")
    await other.ask()
    assert other.work.count == 1


async def test_an_answer_from_the_tier_gets_no_older_than_one_of_the_process() -> None:
    tier, versions = Shelf(), MemoryVersions()
    one, other, third = (World(tier, versions) for _ in range(3))
    await one.ask()
    for world in (other, third):
        world.clock.advance(TTL_S * 0.6)
    assert (await other.ask()).answer.body == b"1"
    assert (await other.ask()).kept
    for world in (other, third):
        world.clock.advance(TTL_S * 0.4)
        assert (await world.ask()).answer.made_at == world.clock.now().timestamp()
    assert third.cache.counts()["tier_hits_total"] == 1, "by what the other put there in place of the old one"
    behind = World(tier, versions)
    await behind.ask()
    tier.values.clear()
    behind.clock.advance(TTL_S)
    assert not (await behind.ask()).kept, "whatever another host's clock says"
    assert behind.work.count == 1


async def test_what_the_tier_holds_under_a_key_may_be_anything() -> None:
    tier = Shelf()
    one, other = World(tier), World(tier)
    await one.ask()
    for garbage in (b"", b"\xff\xfe", b"\x93\x01\x02\x03"):
        tier.values = dict.fromkeys(tier.values, garbage)
        other.cache = World(tier).cache
        assert (await other.ask()).answer.body == str(other.work.count).encode()
    assert other.work.count == 3


async def test_cleared_in_the_process_and_in_the_tier() -> None:
    world = World(Shelf())
    await world.ask()
    await world.cache.clear()
    assert not (await world.ask()).kept
    assert world.work.count == 2


async def test_where_nobody_counts_writes_nothing_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.versions, "collection", lambda name: None)
    assert [(await world.ask()).kept for _ in range(3)] == [False] * 3
    assert world.work.count == 3
