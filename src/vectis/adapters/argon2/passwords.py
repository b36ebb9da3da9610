"""argon2id in threads beside the event loop, two at a time, so that guessing passwords starves nothing else."""

import asyncio

from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError

from vectis.domain.errors import Unavailable

AT_ONCE = 2
"""Each takes 64 MiB and one core for some 50 ms (argon2-cffi's defaults, RFC 9106's second choice)."""
WAITING_MAX = 32


class Argon2Passwords:
    """vectis.domain.ports.access.PasswordHasher."""

    def __init__(self) -> None:
        self._argon2 = Argon2()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys = ""

    async def hash(self, password: str) -> str:
        """See the port."""
        async with _Turn(self):
            return await asyncio.to_thread(self._argon2.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """See the port."""
        if not self._nobodys:
            self._nobodys = await self.hash("")
        async with _Turn(self):
            fits = await asyncio.to_thread(self._verify, password_hash or self._nobodys, password)
        return fits and password_hash is not None

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def take_turn(self) -> None:
        """Wait for one of the turns. Unavailable when too many wait."""
        if self._waiting >= WAITING_MAX:
            raise Unavailable("too many passwords are being checked; try again", retry_after_s=2.0)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    def end_turn(self) -> None:
        """Let the next one go on."""
        self._turns.release()


class _Turn:
    def __init__(self, passwords: Argon2Passwords) -> None:
        self._passwords = passwords

    async def __aenter__(self) -> None:
        await self._passwords.take_turn()

    async def __aexit__(self, *_: object) -> None:
        self._passwords.end_turn()
