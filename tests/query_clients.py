"""Clients that ask one alias without pause and write down every answer: `query_clients.py URL FILE COUNT`.

A line says when a query began and ended (seconds since 1970), its status (0: the connection was cut before an answer was
whole; the query is sent again then), and what the answer says of itself: version of the alias's route, variant, collection,
number of results.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import time
from typing import NamedTuple
from urllib.parse import urlsplit

ALIAS = "docs"
DIMENSION = 16
CUT = 0
RECONNECT_S = 0.02


class Asked(NamedTuple):
    """One query as it went."""

    began: float
    ended: float
    status: int
    version: int
    variant: str
    collection: str
    results: int

    @classmethod
    def read(cls, file: Path) -> list["Asked"]:
        """What was written down, whole lines only."""
        lines = file.read_text().rpartition("\n")[0].splitlines()
        return [
            cls(float(began), float(ended), int(status), int(version), variant, collection, int(results))
            for began, ended, status, version, variant, collection, results in (line.split(",") for line in lines)
        ]


def vector(name: str) -> list[float]:
    """The same vector for a name each time, far from all others: no two answers to a query are equally good."""
    random = Random(name)
    return [random.gauss(0, 1) for _ in range(DIMENSION)]


def _request(number: int) -> bytes:
    body = json.dumps({"collection": ALIAS, "query_vector": vector(f"query {number}"), "limit": 5}).encode()
    head = (
        "POST /api/v1/vectors/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"cache-control: no-cache\r\nx-routing-key: user-{number}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Asked:
    began = time()
    writer.write(request)
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    results = json.loads(body).get("results", [])
    return Asked(
        began,
        time(),
        int(first.split()[1]),
        int(headers.get("x-vectis-alias-version", 0)),
        headers.get("x-vectis-variant", ""),
        headers.get("x-vectis-collection", ""),
        len(results),
    )


async def _client(url: str, number: int, step: int, keep: Callable[[Asked], None]) -> None:
    where = urlsplit(url)
    while True:
        try:
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
        except OSError:
            await asyncio.sleep(RECONNECT_S)  # nobody listens while a killed server is started again
            continue
        try:
            while True:
                began = time()
                keep(await _exchange(reader, writer, _request(number)))
                number += step
        except (OSError, asyncio.IncompleteReadError):
            keep(Asked(began, time(), CUT, 0, "", "", 0))
        finally:
            writer.close()


async def _main(url: str, file: Path, count: int) -> None:
    with file.open("w", buffering=1 << 16) as out:

        def keep(asked: Asked) -> None:
            out.write(",".join(map(str, asked)) + "\n")

        clients = [asyncio.create_task(_client(url, number, count, keep)) for number in range(count)]
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await asyncio.wait([asyncio.create_task(stop.wait()), *clients], return_when=asyncio.FIRST_COMPLETED)
        for client in clients:
            if client.done():
                client.result()
            client.cancel()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
