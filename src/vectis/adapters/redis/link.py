"""This process's link to a server that speaks the Redis protocol: short waits, no retries, left alone while it is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from vectis.domain.errors import InvalidSetting, Unavailable

FAULTS_IN_A_ROW = 3
"""After so many commands without an answer nobody asks any more, but for one probe at a time."""

REST_S = 0.5
"""How long the server is left alone before each probe."""

Failures = (RedisError, OSError, TimeoutError, EOFError, ValueError, RecursionError)
"""What comes of a server that is away, slow, or does not speak the protocol: the parser passes on what its numbers raise."""

T = TypeVar("T")

log = structlog.stdlib.get_logger("vectis.redis")


class LinkBounds(msgspec.Struct, frozen=True):
    """At most `pool_max` connections, `pool_min` of them made before anyone asks.

    `connect_s` is how long making one may take, `answer_s` how long a command is waited for.
    """

    pool_max: int = 100
    pool_min: int = 10
    connect_s: float = 5.0
    answer_s: float = 0.05


class RedisLink:
    """A pool of connections behind a circuit that is closed while the server answers. `open` it; until then nothing is asked.

    Raises InvalidSetting for a URL that names no server.
    """

    def __init__(self, url: str, bounds: LinkBounds) -> None:
        try:
            pool: Any = ConnectionPool
            self._pool = pool.from_url(
                url,
                max_connections=bounds.pool_max,
                socket_connect_timeout=bounds.connect_s,
                socket_timeout=bounds.connect_s,
                retry=Retry(NoBackoff(), 0),
                protocol=2,  # what all three speak, without a greeting that could go wrong
                driver_info=None,  # no exchange that a new connection would wait for
            )
        except ValueError as error:
            raise InvalidSetting(f"cache.redis_url: {error}", key="cache.redis_url") from None
        self.client: Any = Redis(connection_pool=self._pool)
        self._room = asyncio.Semaphore(bounds.pool_max)
        self._at_work: set[asyncio.Task[Any]] = set()
        self._bounds = bounds
        self._is_closed = self._told_away = False
        self._in_a_row = self._faults = self._skipped = self._openings = 0
        self._seeker: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to look for the server; returns at once."""
        self._seeker = asyncio.create_task(self._seek(rest_s=0.0))

    async def close(self) -> None:
        """End the connections."""
        self._is_closed = False
        tasks = [task for task in (self._seeker, *self._at_work) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._pool.disconnect()

    async def ask(self, command: Callable[[], Awaitable[T]], *, within_s: float | None = None) -> T | None:
        """What the server answers within `within_s`, else `answer_s`; None when it does not, and at once while it is away."""
        if not self._is_closed:
            self._skipped += 1
            return None
        # A task of its own, because a cancelled command may go on: on CPython 3.11 some of many that expire together do.
        task = asyncio.create_task(self._perform(command))
        self._at_work.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait((task,), timeout=self._bounds.answer_s if within_s is None else within_s)
        if not task.done() or task.cancelled():
            task.cancel()
            self._failed(TimeoutError("no answer in time"))
            return None
        try:
            answer = task.result()
        except Failures as error:
            self._failed(error)
            return None
        self._in_a_row = 0
        return answer

    async def check(self) -> None:
        """Ask the server once, without retries. Unavailable, saying why, when it does not answer."""
        try:
            async with asyncio.timeout(self._bounds.connect_s):
                await self.client.ping()
        except Failures as error:
            raise Unavailable(f"cache.redis_url: {type(error).__name__}: {error}"[:200]) from None

    def counts(self) -> dict[str, float]:
        """For the metrics page; of this process."""
        return {
            "connected": float(self._is_closed),
            "faults_total": self._faults,
            "skipped_total": self._skipped,
            "lost_total": self._openings,
        }

    async def _perform(self, command: Callable[[], Awaitable[T]]) -> T:
        async with self._room:
            return await command()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waited was told

    def _failed(self, error: BaseException) -> None:
        self._faults += 1
        self._in_a_row += 1
        if self._is_closed and self._in_a_row >= FAULTS_IN_A_ROW:
            self._is_closed = False
            self._openings += 1
            self._tell_away(error)
            self._seeker = asyncio.create_task(self._seek(rest_s=REST_S))

    async def _seek(self, rest_s: float) -> None:
        """Probe until the server answers. Nobody who asks waits for this."""
        await asyncio.sleep(rest_s)  # nothing tells that a server is back
        while not await self._answers():  # noqa: ASYNC110 - another process, that sets no event here
            await asyncio.sleep(REST_S)  # nothing tells that a server is back
        self._in_a_row = 0
        self._is_closed = True
        self._told_away = False
        log.info("redis_connected")

    async def _answers(self) -> bool:
        """Whether it says PONG, after the connections that are kept ready were made."""
        taken: list[Any] = []
        try:
            async with asyncio.timeout(self._bounds.connect_s):
                while len(taken) < self._bounds.pool_min:
                    taken.append(await self._pool.get_connection())
                await self._give_back(taken)
                return (await self.client.ping()) is True
        except Failures as error:
            self._faults += 1
            self._tell_away(error)
            return False
        finally:
            await self._give_back(taken)

    def _tell_away(self, error: BaseException) -> None:
        """Once until it is back."""
        if not self._told_away:
            self._told_away = True
            log.warning("redis_away", detail=f"{type(error).__name__}: {error}"[:200])

    async def _give_back(self, taken: list[Any]) -> None:
        while taken:
            await self._pool.release(taken.pop())
