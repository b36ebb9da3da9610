"""A load of reads and writes over HTTP that notes, for every answer, whether it is older than a write acknowledged before.

Each writer owns a register: a point whose payload holds a number that only grows, and an alias that moves between collections
numbered alike. Readers ask the same few questions over and over, so that most answers come from the cache.
"""

import asyncio
from itertools import count

import httpx
import msgspec

VECTOR = {"points-a": [1.0, 0.0], "points-b": [0.0, 1.0]}
READERS = 6


class Freshness(msgspec.Struct):
    """What a load saw. `stale` says each answer that was older than the last write acknowledged before it was asked."""

    reads: int = 0
    writes: int = 0
    kept: int = 0
    failed: int = 0
    stale: list[str] = []


async def prepare(url: str) -> None:
    """Two collections for points, two with one numbered point each for an alias to move between."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        for name in ("points-a", "points-b", "blue", "green"):
            body = {"name": name, "vectors": {"dense": {"size": 2, "distance": "Cosine"}}}
            (await http.post("/api/v1/collections", json=body)).raise_for_status()


async def run(url: str, operations: int) -> Freshness:
    """Run until `operations` reads and writes are done."""
    seen = Freshness()
    acknowledged = {"points-a": 0, "points-b": 0, "moving": 0}
    limits = httpx.Limits(max_keepalive_connections=1, max_connections=1)

    def client() -> httpx.AsyncClient:  # connections of their own, so that all API processes are asked
        return httpx.AsyncClient(base_url=url, timeout=60, limits=limits)

    async def put(http: httpx.AsyncClient, name: str, number: int) -> bool:
        vector = VECTOR.get(name, [1.0, 1.0])
        points = [{"id": 1, "vector": {"dense": vector}, "payload": {"number": number}}]
        return (await http.put(f"/api/v1/collections/{name}/points", json={"points": points})).is_success

    async def write_points(name: str) -> None:
        async with client() as http:
            for number in count(1):
                if seen.reads + seen.writes >= operations:
                    return
                if await put(http, name, number):
                    acknowledged[name] = number
                    seen.writes += 1

    async def move_alias() -> None:
        async with client() as http:
            for number in count(1):
                if seen.reads + seen.writes >= operations:
                    return
                target = ("blue", "green")[number % 2]
                done = await put(http, target, number)
                moved = done and await http.put("/api/v1/aliases/moving", json={"collection": target})
                if moved and moved.is_success:
                    acknowledged["moving"] = number
                    seen.writes += 1

    async def read(name: str) -> None:
        body = {"collection": name, "query_vector": VECTOR.get(name, [1.0, 1.0]), "limit": 1}
        async with client() as http:
            while seen.reads + seen.writes < operations:
                before = acknowledged[name]
                if not before:
                    await asyncio.sleep(0.01)
                    continue
                answer = await http.post("/api/v1/vectors/search", json=body)
                seen.reads += 1
                if answer.status_code != 200:
                    seen.failed += 1
                    continue
                seen.kept += answer.headers["x-cache"] == "hit"
                number = answer.json()["results"][0]["payload"]["number"]
                if number < before:
                    seen.stale.append(f"{name}: {number} after {before} was acknowledged, {answer.headers['x-cache']}")

    readers = [read(name) for name in acknowledged for _ in range(READERS // 3 + 1)]
    await asyncio.gather(write_points("points-a"), write_points("points-b"), move_alias(), *readers)
    return seen
